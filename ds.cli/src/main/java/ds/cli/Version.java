package ds.cli;

import java.lang.module.ModuleDescriptor;
import picocli.CommandLine.IVersionProvider;

/** What {@code ds --version} prints. */
final class Version implements IVersionProvider {
    Version() {}

    /** {@return the version of this build} */
    static String ofDs() {
        ModuleDescriptor descriptor = Version.class.getModule().getDescriptor();
        return descriptor.rawVersion().orElse("unknown");
    }

    @Override
    public String[] getVersion() {
        return new String[] {"ds " + ofDs() + ", Java " + Runtime.version()};
    }
}
