/** The {@code ds} command. Composes whatever providers are on the module path; requires none of them. */
module ds.cli {
    requires ds.api;
    requires ds.bench;
    requires ds.data;
    requires ds.models.gpt;
    requires ds.safetensors;
    requires ds.zero;
    requires info.picocli;
    requires java.logging;
    requires java.management;
    requires jdk.management;
    requires me.tongfei.progressbar;
    requires tools.jackson.databind;

    opens ds.cli to
            info.picocli;
}
