package ds.zero.unit;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.unit.UnitLayout.Range;
import java.util.List;
import java.util.Map;

/**
 * The part of a unit that a layer needs which looks rows of its table up: the rows that the batches of all ranks name, and the unit's other
 * parameters. Side by side they are one small tensor, taken out of the unit and put back: a row as often as it is named, so that no
 * host has to know which rows these are. No memory.
 */
public final class NamedRows {
    private final Kernels kernels;
    private final UnitLayout layout;
    private final Parameter table;
    private final List<Parameter> others;
    private final long count;
    private final long elements;

    /**
     * Lays the part out.
     *
     * @param layout of the unit, in which the table is
     * @param own what this rank's batches name; every rank as many
     */
    public NamedRows(Kernels kernels, UnitLayout layout, GradientRows own, int ranks) {
        this.kernels = kernels;
        this.layout = layout;
        this.table = own.table();
        this.others = layout.parameters().stream()
                .filter(parameter -> !parameter.equals(table))
                .toList();
        this.count = ranks * own.rows().elements();
        this.elements = count * table.shape().columns()
                + others.stream().mapToLong(Parameter::elements).sum();
    }

    /** {@return whether this is about as many rows of the same table} */
    public boolean isFor(GradientRows own, int ranks) {
        return own.table().equals(table) && ranks * own.rows().elements() == count;
    }

    /** {@return how many rows all ranks name} */
    public long count() {
        return count;
    }

    /** {@return elements of these rows and of the other parameters} */
    public long elements() {
        return elements;
    }

    /**
     * Copies the part out, converting the type.
     *
     * @param own the elements of the unit that count; the others are taken for 0
     * @param unit views of its parameters
     * @param index I32, the rows
     * @param values {@code [elements]}
     */
    public void take(Range own, Map<Parameter, Tensor> unit, Tensor index, Tensor values) {
        long before = layout.offset(table);
        long at = count * table.shape().columns();
        kernels.gatherRowsWithin(unit.get(table), own.first() - before, own.end() - before, index, values.slice(0, at));
        for (Parameter other : others) {
            long first = layout.offset(other);
            Range part = own.intersect(new Range(first, first + other.elements()));
            if (part.elements() < other.elements()) {
                kernels.fill(values.slice(at, other.elements()), 0);
            }
            if (!part.isEmpty()) {
                long offset = part.first() - first;
                kernels.copy(
                        unit.get(other).slice(offset, part.elements()), values.slice(at + offset, part.elements()));
            }
            at += other.elements();
        }
    }

    /** Copies all of it back: the inverse of {@link #take}. */
    public void put(Tensor values, Tensor index, Map<Parameter, Tensor> unit) {
        long at = count * table.shape().columns();
        kernels.scatterRows(values.slice(0, at), index, unit.get(table));
        for (Parameter other : others) {
            kernels.copy(values.slice(at, other.elements()), unit.get(other));
            at += other.elements();
        }
    }
}
