/**
 * A user's own model, of layers written by hand, and the text it learns: {@link examples.model.CharacterModel} guesses the next
 * character from the last few. Nothing in it knows how it is trained.
 * Source: Bengio et al., A Neural Probabilistic Language Model, JMLR 3 (2003).
 */
package examples.model;
