/** GPT-2 to Turing-NLG as layers of {@code ds.api}, with generation and the Hugging Face layout. Knows no backend and no trainer. */
module ds.models.gpt {
    requires transitive ds.api;
    requires ds.safetensors;
    requires tools.jackson.databind;

    exports ds.models.gpt;
}
