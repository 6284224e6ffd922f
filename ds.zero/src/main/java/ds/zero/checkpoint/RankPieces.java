package ds.zero.checkpoint;

import ds.api.layer.Parameter;
import java.util.List;

/**
 * What one rank saves, or wants to be given. When saving, the pieces of all ranks cover every kind of every parameter once; when
 * loading they may overlap, as where every rank keeps everything.
 *
 * @param parameters of the whole model, each once; the same on all ranks
 * @param kinds of the whole training: {@link Piece#MASTER} first, then the optimizer's states; the same on all ranks
 * @param pieces of this rank
 */
public record RankPieces(List<Parameter> parameters, List<String> kinds, List<? extends Piece> pieces) {
    /** Copies the lists; rejects a kind that is not a plain word, since tensors in files are named by it. */
    public RankPieces {
        parameters = List.copyOf(parameters);
        kinds = List.copyOf(kinds);
        pieces = List.copyOf(pieces);
        for (String kind : kinds) {
            if (!kind.matches("[A-Za-z0-9_.-]+")) {
                throw new IllegalArgumentException("optimizer state '" + kind
                        + "': its name must consist of letters, digits, '_', '-' and '.', to name tensors in files");
            }
        }
        if (!kinds.contains(Piece.MASTER)) {
            throw new IllegalArgumentException("kinds " + kinds + " lack '" + Piece.MASTER + "', the weights");
        }
    }

    /** {@return bytes of the pieces as F32} */
    long byteSize() {
        return pieces.stream().mapToLong(Piece::elements).sum() * Float.BYTES;
    }

    /** {@return the same without optimizer states} */
    RankPieces weightsOnly() {
        List<? extends Piece> weights = pieces.stream()
                .filter(piece -> piece.kind().equals(Piece.MASTER))
                .toList();
        return new RankPieces(parameters, List.of(Piece.MASTER), weights);
    }
}
