package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.security.MessageDigest;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class BinaryTest {
    private final byte[] array = {9, 1, 2, 3, 9};
    private final Binary view = Binary.view(array, 1, 3);
    private final Binary copy = Binary.copyOf(new byte[] {1, 2, 3});

    @Test
    void aPartOfAnArrayIsWorthWhatItsCopyIs() {
        assertThat(view).isEqualTo(copy).hasSameHashCodeAs(copy).hasToString(copy.toString());
        assertThat(view.hex()).isEqualTo("010203");
        assertThat(view.length()).isEqualTo(3);
        assertThat(view.toArray()).isEqualTo(copy.toArray());
        assertThat(view).isNotEqualTo(Binary.view(array, 0, 3)).isNotEqualTo(Binary.copyOf(array));
    }

    @Test
    void itsBufferHoldsNoMoreThanItsBytesAndCannotBeWritten() {
        ByteBuffer buffer = view.toBuffer();
        assertThat(buffer.capacity()).isEqualTo(3);
        assertThat(buffer.hasArray()).isFalse();
        assertThatThrownBy(() -> buffer.put(0, (byte) 7)).isInstanceOf(ReadOnlyBufferException.class);
        assertThat(buffer).isEqualTo(ByteBuffer.wrap(copy.toArray()));
    }

    @Test
    void hashesLikeItsCopy() {
        MessageDigest digest = Sha256.newDigest();
        view.update(digest);
        assertThat(Sha256.finish(digest)).isEqualTo(Sha256.of(copy.toArray()));
        assertThat(MerkleTree.leaf(view)).isEqualTo(MerkleTree.leaf(copy.toArray()));
    }

    @Test
    void aCopyDoesNotFollowItsArray() {
        byte[] mine = copy.toArray();
        Binary kept = Binary.copyOf(mine);
        Arrays.fill(mine, (byte) 0);
        assertThat(kept).isEqualTo(copy);
    }

    @Test
    void anOwnedMessageReadsAsTheSameAndCopiesNoLongString() throws Exception {
        byte[] block = new byte[4096];
        Arrays.fill(block, (byte) 5);
        byte[] message = CborWriter.write(
                Cbor.dict().put("data", Cbor.of(block)).put("id", Cbor.of(copy)).build());
        Cbor owned = CborReader.readOwned(message, message.length).orThrow();
        assertThat(owned).isEqualTo(CborReader.read(message, message.length).orThrow());
        Cbor.Fields fields = Cbor.Fields.of(owned);
        Binary data = fields.bytes("data", 0, block.length);
        Binary id = fields.bytes("id", 0, 3);
        Arrays.fill(message, (byte) 0);
        assertThat(data.toArray()).as("a part of the message").containsOnly(0);
        assertThat(id).as("a short string is copied").isEqualTo(copy);
    }
}
