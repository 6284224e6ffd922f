package ds.cli.train;

import ds.zero.config.Known;
import ds.zero.config.RuntimeConfig;
import ds.zero.config.ZeroConfig;
import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigReader;
import ds.zero.config.json.Resolved;
import java.nio.file.Path;
import java.util.function.Function;

/**
 * All of a configuration file: DeepSpeed's keys, and model, data and loop under {@code "ds"}.
 *
 * @param zero how it is trained
 * @param model what is trained
 * @param data on what
 * @param loop how long
 */
public record RunConfig(ZeroConfig zero, ModelSettings model, DataSettings data, LoopSettings loop) {
    /**
     * {@return the configuration in a file}
     *
     * @throws ds.zero.config.json.ConfigException listing everything that is wrong
     */
    public static Resolved<RunConfig> parse(Path file, int worldSize) {
        return ConfigReader.read(file, root -> read(root, worldSize, DataSettings::read));
    }

    /**
     * {@return the configuration in a file that may be without data: to be planned, not to be run}
     *
     * @throws ds.zero.config.json.ConfigException listing everything else that is wrong
     */
    public static Resolved<RunConfig> parseForPlan(Path file, int worldSize) {
        return ConfigReader.read(file, root -> read(root, worldSize, DataSettings::readOptional));
    }

    private static RunConfig read(Block root, int worldSize, Function<Block, DataSettings> dataReader) {
        Block ds = root.block(RuntimeConfig.BLOCK);
        ModelSettings model = ModelSettings.read(ds);
        DataSettings data = dataReader.apply(ds);
        LoopSettings loop = LoopSettings.read(ds);
        Known known = Known.ofWorld(worldSize)
                .withTotalSteps(loop.steps())
                .withHiddenSize(model.shape().channels());
        return new RunConfig(ZeroConfig.read(root, known), model, data, loop);
    }
}
