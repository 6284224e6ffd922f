/**
 * What a user writes: {@link examples.model} is a model of the user's own, {@link examples.plain} trains it in a plain loop,
 * {@link examples.zero} trains it on ZeRO. Backend and communicator are providers, found by name.
 */
module examples {
    requires ds.api;
    requires ds.zero;
}
