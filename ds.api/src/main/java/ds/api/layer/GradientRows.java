package ds.api.layer;

import ds.api.Tensor;

/**
 * Rows of a parameter's gradient to which a layer's backward pass adds, such as those of a batch's tokens.
 *
 * @param table the parameter, seen as a matrix
 * @param rows I32, numbers of rows, in any order and any number of times each; lives as long as the micro-batch
 */
public record GradientRows(Parameter table, Tensor rows) {}
