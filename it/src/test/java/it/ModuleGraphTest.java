package it;

import static java.util.stream.Collectors.toUnmodifiableMap;
import static java.util.stream.Collectors.toUnmodifiableSet;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Exports;
import java.lang.module.ModuleDescriptor.Opens;
import java.lang.module.ModuleDescriptor.Requires;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The architecture's diagram, as the running modules have it. */
class ModuleGraphTest {
    /** Which ds modules each ds module may require. A new module, or a new edge, is a decision to be made here. */
    private static final Map<String, Set<String>> ALLOWED = Map.ofEntries(
            Map.entry("ds.api", Set.of()),
            Map.entry("ds.backend.cpu", Set.of("ds.api")),
            Map.entry("ds.cuda", Set.of()),
            Map.entry("ds.backend.cuda", Set.of("ds.api", "ds.cuda")),
            Map.entry("ds.comm.nccl", Set.of("ds.api", "ds.cuda")),
            Map.entry("ds.comm.tcp", Set.of("ds.api")),
            Map.entry("ds.safetensors", Set.of("ds.api")),
            Map.entry("ds.data", Set.of("ds.api")),
            Map.entry("ds.zero", Set.of("ds.api", "ds.safetensors")),
            Map.entry("ds.models.gpt", Set.of("ds.api", "ds.safetensors")),
            Map.entry("ds.tck", Set.of("ds.api")),
            Map.entry("ds.bench", Set.of("ds.api", "ds.data", "ds.models.gpt", "ds.safetensors", "ds.zero")),
            Map.entry("ds.cli", Set.of("ds.api", "ds.bench", "ds.data", "ds.models.gpt", "ds.safetensors", "ds.zero")));

    private static final Map<String, ModuleDescriptor> MODULES = ModuleLayer.boot().modules().stream()
            .map(Module::getDescriptor)
            .collect(toUnmodifiableMap(ModuleDescriptor::name, descriptor -> descriptor));

    private static Stream<ModuleDescriptor> dsModules() {
        return MODULES.values().stream().filter(module -> isDs(module.name()));
    }

    private static boolean isDs(String module) {
        return module.startsWith("ds.");
    }

    private static Set<String> requires(ModuleDescriptor module) {
        return module.requires().stream().map(Requires::name).collect(toUnmodifiableSet());
    }

    @Test
    void everyModuleIsInTheDiagram() {
        assertEquals(ALLOWED.keySet(), dsModules().map(ModuleDescriptor::name).collect(toUnmodifiableSet()));
    }

    @Test
    void noModuleKnowsMoreThanTheDiagramSays() {
        dsModules()
                .forEach(module -> requires(module).stream()
                        .filter(ModuleGraphTest::isDs)
                        .forEach(required -> assertTrue(
                                ALLOWED.get(module.name()).contains(required),
                                module.name() + " requires " + required)));
    }

    @Test
    void theApiRequiresNothingButTheJavaBase() {
        assertEquals(Set.of("java.base"), requires(MODULES.get("ds.api")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ds.backend.cpu", "ds.backend.cuda", "ds.comm.nccl", "ds.comm.tcp"})
    void aProviderExportsNothingAndProvidesSomething(String name) {
        ModuleDescriptor provider = MODULES.get(name);
        assertEquals(Set.of(), provider.exports());
        assertEquals(Set.of(), provider.opens());
        assertEquals(1, provider.provides().size());
    }

    @Test
    void onlyTheApiLooksProvidersUp() {
        dsModules()
                .filter(module -> !module.name().equals("ds.api"))
                .forEach(module -> assertEquals(Set.of(), module.uses(), module.name()));
    }

    @Test
    void opensAreQualifiedAndExportsAreNot() {
        dsModules().forEach(module -> {
            assertFalse(module.isOpen(), module.name());
            assertTrue(module.opens().stream().allMatch(Opens::isQualified), module.name());
            assertTrue(module.exports().stream().noneMatch(Exports::isQualified), module.name());
        });
    }

    @Test
    void theOnlyAutomaticModuleIsTheTokenizerOfTheDataModule() {
        Set<String> automatic = MODULES.values().stream()
                .filter(ModuleDescriptor::isAutomatic)
                .map(ModuleDescriptor::name)
                .collect(toUnmodifiableSet());
        assertEquals(Set.of("jtokkit"), automatic);
        Set<String> users = MODULES.values().stream()
                .filter(module -> requires(module).contains("jtokkit"))
                .map(ModuleDescriptor::name)
                .collect(toUnmodifiableSet());
        assertEquals(Set.of("ds.data"), users);
    }
}
