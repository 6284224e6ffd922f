package ds.tck;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Unary;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The contract finds a kernel of which one element of one output, the last, is off by 3 % of the largest; and one that writes
 * beyond its output.
 */
class TensorBackendContractTest {
    /** Who is faulty, in which argument, and the part of the contract that must find it. */
    static Stream<Arguments> faults() {
        return Stream.of(
                fault("fill", 0, c -> c.fillSetsEveryElement(17)),
                fault("copy", 1, c -> c.copyConvertsToNearestEven(17)),
                fault("copyRows", 1, c -> c.copyRowsLeavesTheGaps(3, 5)),
                fault("matmul", 2, c -> c.matmulOfEveryOrientation(17, 130, 80)),
                fault("unary", 2, c -> c.unaryOfEverySizeAndType(Unary.EXP)),
                fault("unary", 2, c -> c.unaryOfEverySizeAndType(Unary.TANH)),
                fault("unary", 2, c -> c.functionsHoldAtTheEndsOfTheirRange(17)),
                fault("binary", 4, c -> c.binaryWithEveryBroadcastAndType(Binary.DIVIDE)),
                fault("binary", 4, c -> c.binaryWithEveryBroadcastAndType(Binary.GREATER_EQUAL)),
                fault("axpby", 3, c -> c.axpbyScalesAndAdds(1001)),
                fault("reduceRows", 2, c -> c.rowsAndColumnsAreReduced(129, 65)),
                fault("sumColumns", 1, c -> c.rowsAndColumnsAreReduced(2, 1001)),
                fault("gatherRows", 2, c -> c.rowsAreGathered(40, 9, 16)),
                fault("gatherRowsWithin", 4, c -> c.rowsOfAPartAreZeroOutside(40, 9, 16)),
                fault("scatterAddRows", 2, c -> c.rowsAreAddedInAFixedOrder(77, 11, 65)),
                fault("scatterAddRows", 2, c -> c.rowsAreAddedOneAfterTheOther(300, 7, 4)),
                fault("scatterRows", 2, c -> c.rowsArePutBackWhereTheyWereTaken(40, 9, 16)),
                fault("uniform", 1, c -> c.uniformIsCounterRandom(1)),
                fault("sumOfSquares", 1, c -> c.squaresAreSummedInF64(4099)),
                fault("linear", 3, c -> c.linearMultipliesAndAddsTheBias(5, 130, 257)),
                fault("biasGelu", 2, c -> c.biasGeluAndItsGradient(33, 65)),
                fault("biasGeluBackward", 3, c -> c.biasGeluAndItsGradient(33, 65)),
                fault("biasGeluBackward", 4, c -> c.biasGeluAndItsGradient(33, 65)),
                fault("linearGelu", 4, c -> c.geluBetweenProductsAndItsGradient(33, 128, 64, 48)),
                fault("geluLinearBackward", 4, c -> c.geluBetweenProductsAndItsGradient(33, 128, 64, 48)),
                fault("geluLinearBackward", 5, c -> c.geluBetweenProductsAndItsGradient(3, 17, 5, 7)),
                fault("dropout", 2, c -> c.dropoutZeroesWhatCounterRandomSays(17, 0.1f, 5)),
                fault("layerNorm", 1, c -> c.rowsAreNormalised(2, 768, 0, 1)),
                fault("layerNorm", 2, c -> c.rowsAreNormalised(2, 768, 0, 1)),
                fault("residualLayerNorm", 2, c -> c.residualIsAddedThenNormalised(5, 64)),
                fault("residualLayerNorm", 4, c -> c.residualIsAddedThenNormalised(5, 64)),
                fault("layerNormBackward", 3, c -> c.gradientsAreAddedTo(33, 65)),
                fault("layerNormBackward", 4, c -> c.gradientsAreAddedTo(33, 65)),
                fault("embedding", 3, c -> c.embeddingAddsRowsOfTwoTables(1, 65, 257, 65)),
                fault("embeddingBackward", 2, c -> c.embeddingBackwardAddsInAFixedOrder(4, 65, 257, 65)),
                fault("embeddingBackward", 3, c -> c.embeddingBackwardAddsInAFixedOrder(4, 65, 257, 65)),
                fault("attention", 2, c -> c.attentionInBothDirections(1, 130, 1, 80, 0)),
                fault("attention", 3, c -> c.attentionInBothDirections(1, 130, 1, 80, 0)),
                fault("attentionBackward", 5, c -> c.attentionInBothDirections(1, 130, 1, 80, 0)),
                fault("attentionBackward", 5, c -> c.attentionInBothDirections(1, 65, 2, 32, 0.1f)),
                fault("cachedAttention", 5, c -> c.cachedAttentionEqualsTheWhole(1, 40, 2, 33)),
                fault("cachedAttention", 1, c -> c.cachedAttentionEqualsTheWhole(1, 40, 2, 33)),
                fault("crossEntropy", 0, c -> c.lossAndGradient(2, 1001, 1024, 1)),
                fault("crossEntropy", 4, c -> c.lossAndGradient(2, 1001, 1024, 1)),
                fault("adam", 1, c -> c.stepsFollowTheReference(17, 0.1, true, true, 1)),
                fault("adam", 3, c -> c.stepsFollowTheReference(17, 0.1, false, true, 1)),
                fault("adam", 4, c -> c.anyShardingGivesTheSameBits(5)));
    }

    private static Arguments fault(String kernel, int argument, Consumer<TensorBackendContract> test) {
        return arguments(kernel, argument, test);
    }

    @ParameterizedTest
    @MethodSource("faults")
    void findsAWrongElement(String kernel, int argument, Consumer<TensorBackendContract> test) {
        assertFound(kernel, argument, TensorBackendContractTest::spoil, test);
    }

    @ParameterizedTest
    @MethodSource("faults")
    void passesWithoutAFault(String kernel, int argument, Consumer<TensorBackendContract> test) {
        try (ReferenceBackend reference = new ReferenceBackend()) {
            run(faulty(reference, kernel, argument, tensor -> {}), test);
        }
    }

    @ParameterizedTest
    @MethodSource("faults")
    void findsAWriteBeyondTheOutput(String kernel, int argument, Consumer<TensorBackendContract> test) {
        assertFound(kernel, argument, TensorBackendContractTest::overrun, test);
    }

    private static void assertFound(
            String kernel, int argument, Consumer<Tensor> damage, Consumer<TensorBackendContract> test) {
        try (ReferenceBackend reference = new ReferenceBackend()) {
            TensorBackend faulty = faulty(reference, kernel, argument, damage);
            assertThrows(AssertionError.class, () -> run(faulty, test), kernel + ", argument " + argument);
        }
    }

    private static void run(TensorBackend backend, Consumer<TensorBackendContract> test) {
        TensorBackendContract contract = new TensorBackendContract() {
            @Override
            protected TensorBackend open() {
                return backend;
            }
        };
        contract.openBackend();
        test.accept(contract);
    }

    private static void spoil(Tensor tensor) {
        Elements elements = Elements.of(tensor);
        double value = elements.get(elements.count() - 1);
        if (tensor.buffer().label().equals("operand")) { // and not one of the temporaries of a composed kernel
            double largest = new SideBySide.Twin(tensor, tensor).largest();
            elements.set(elements.count() - 1, value + 0.03 * largest + 1e-6);
        }
    }

    private static void overrun(Tensor tensor) {
        Tensor all = new Tensor(
                tensor.buffer(), DType.F32, ds.api.Shape.of(tensor.buffer().byteSize() / 4));
        long behind = (tensor.byteOffset() + tensor.byteSize()) / 4;
        if (behind < all.elements()) {
            Elements.of(all).set(behind, 0);
        }
    }

    private static TensorBackend faulty(ReferenceBackend good, String kernel, int argument, Consumer<Tensor> damage) {
        return proxy(TensorBackend.class, (method, arguments) -> switch (method.getName()) {
            case "supports" -> arguments[0] == DType.F32 || arguments[0] == DType.I32;
            case "kernels" -> {
                Kernels kernels = good.kernels(good.computeStream());
                yield proxy(Kernels.class, (called, operands) -> {
                    Object result = called.invoke(kernels, operands);
                    if (called.getName().equals(kernel)) {
                        damage(operands[argument], damage);
                    }
                    return result;
                });
            }
            default -> method.invoke(good, arguments);
        });
    }

    private static void damage(Object operand, Consumer<Tensor> damage) {
        switch (operand) {
            case Tensor tensor -> damage.accept(tensor);
            case ds.api.CoreKernels.Rows rows -> damage.accept(rows.tensor());
            case LayerNorm norm -> damage.accept(norm.rstd());
            case LayerNorm.Gradients gradients -> damage.accept(gradients.weight());
            default -> throw new AssertionError("no output: " + operand);
        }
    }

    /** What a proxy does with a call. */
    private interface Handler {
        Object call(Method method, Object[] arguments) throws ReflectiveOperationException;
    }

    private static <T> T proxy(Class<T> type, Handler handler) {
        return type.cast(Proxy.newProxyInstance(
                TensorBackendContractTest.class.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    try {
                        return handler.call(method, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }
}
