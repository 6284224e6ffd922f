package ds.zero.gradient;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.UnitLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What layers have contributed to the gradients of one unit. Nothing is cleared before a step: a parameter's first contribution is
 * written, and what got none by the end is set to zero then, the padding too.
 */
final class UnitSums {
    private enum Progress {
        /** Whatever is there is not read. */
        NOTHING,
        /** In the F32 sums. */
        SUMMED,
        /** Written where gradients are kept. */
        WHOLE
    }

    private final Kernels kernels;
    private final UnitLayout layout;
    private final List<Parameter> parameters;
    private final Map<Parameter, Integer> places = new HashMap<>();
    private final Progress[] progress; // of the parameters, and of the padding, which stays NOTHING
    private final Tensor[] wholes; // of those that are WHOLE

    UnitSums(Kernels kernels, UnitLayout layout) {
        this.kernels = kernels;
        this.layout = layout;
        this.parameters = layout.parameters();
        for (int i = 0; i < parameters.size(); i++) {
            places.put(parameters.get(i), i);
        }
        this.progress = new Progress[parameters.size() + 1];
        this.wholes = new Tensor[parameters.size()];
        clear();
    }

    /** Begins anew. */
    void clear() {
        Arrays.fill(progress, Progress.NOTHING);
    }

    /**
     * Takes one contribution of any number.
     *
     * @param sums of the parameter, F32
     */
    GradientSum add(Parameter parameter, Tensor sums) {
        int place = places.get(parameter);
        Progress before = progress[place];
        progress[place] = Progress.SUMMED;
        if (before == Progress.WHOLE) { // it was not all: from here on in F32
            kernels.copy(wholes[place], sums);
        }
        return new GradientSum(sums, before == Progress.NOTHING ? 0 : 1);
    }

    /** {@return the sums of a parameter, which are added to: zeros if nothing was} */
    Tensor addToAll(Parameter parameter, Tensor sums) {
        if (add(parameter, sums).beta() == 0) {
            kernels.fill(sums, 0);
        }
        return sums;
    }

    /**
     * Takes the first contribution, and probably the only one.
     *
     * @param kept of the parameter, of any type
     */
    GradientSum whole(Parameter parameter, Tensor kept) {
        int place = places.get(parameter);
        progress[place] = Progress.WHOLE;
        wholes[place] = kept;
        return new GradientSum(kept, 0);
    }

    /** {@return whether a parameter has had a contribution} */
    boolean hasAny(Parameter parameter) {
        return progress[places.get(parameter)] != Progress.NOTHING;
    }

    /** Sets to zero what has got nothing of F32 sums that are kept as they are. */
    void complete(Tensor sums) {
        complete(sums, sums, 0);
    }

    /**
     * Makes what is kept of a unit complete.
     *
     * @param sums F32 {@code [paddedElements]}, undefined but for what has been summed
     * @param kept {@code [paddedElements]}; may be {@code sums}
     * @param beta whether the sums are added to what is kept (1), or replace it (0)
     */
    void complete(Tensor sums, Tensor kept, float beta) {
        int from = 0;
        for (int i = 1; i <= progress.length; i++) {
            if (i == progress.length || progress[i] != progress[from]) {
                complete(from, i, sums, kept, beta);
                from = i;
            }
        }
    }

    /** Of consecutive parameters, all as far as the first. */
    private void complete(int from, int to, Tensor sums, Tensor kept, float beta) {
        long first = offset(from);
        long count = offset(to) - first;
        if (count == 0) {
            return;
        }
        switch (progress[from]) {
            case NOTHING -> {
                if (beta == 0) {
                    kernels.fill(kept.slice(first, count), 0);
                }
            }
            case SUMMED -> {
                if (sums != kept) {
                    kernels.axpby(1, sums.slice(first, count), beta, kept.slice(first, count));
                }
            }
            case WHOLE -> {}
        }
    }

    private long offset(int place) {
        if (place < parameters.size()) {
            return layout.offset(parameters.get(place));
        }
        return place == parameters.size() ? layout.elements() : layout.paddedElements();
    }
}
