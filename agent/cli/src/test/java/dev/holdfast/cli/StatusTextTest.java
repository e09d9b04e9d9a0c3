package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.terminal.Terminal;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** What people read of the agent's JSON. */
class StatusTextTest {
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
    private static final String DIGEST = "7bcf5c2f0687804e62eeb0facb00646b82fa8185a10b5e7f8fb78a18a80cb854";

    private static JsonNode json(String text) throws Exception {
        return Json.readObject(text.replace('\'', '"').getBytes(StandardCharsets.UTF_8), 1 << 16)
                .orThrow();
    }

    private static JsonNode status(String model) throws Exception {
        return json(("{'device':'cam-7','fleet':'mill','agent':'0.1.0','state':'idle','connected':true,'enrolled':true,"
                        + "'paused':false,'tee':{'kind':'TPM2','assurance':'HARDWARE','detail':'x'},'model':'chat','version':'1',"
                        + "'memory':{'neededBytes':5646592,'budgetBytes':104857600},'models':[{'model':'chat','default':true,"
                        + "'version':'1.0.0','release':1,'epoch':1,'slot':'%s','digest':'%s',%s}]}")
                .formatted(DIGEST, DIGEST, model));
    }

    private static String text(JsonNode status) {
        return new StatusText(Terminal.PLAIN, NOW).status(status);
    }

    @Test
    void sectionsTellOfDeviceTrustModelsAndMemory() throws Exception {
        String text = text(status("'state':'idle'"));
        assertThat(text.lines())
                .contains(
                        "Device",
                        "  name              cam-7",
                        "  broker            connected",
                        "Root of trust",
                        "  assurance         hardware",
                        "Model chat (default)",
                        "  serves            1.0.0, release 1, epoch 1",
                        "  digest            7bcf5c2f0687804e",
                        "Memory",
                        "  models need       5.4 MiB of 100 MiB")
                .noneMatch(line -> line.contains("refused") || line.contains("{") || line.contains("null"));
    }

    @Test
    void whatFailedBeforeIsToldWithItsTimeAndNotAsIfItWereNow() throws Exception {
        String under = "'state':'installing','install':{'model':'chat','version':'2.0.0','state':'DOWNLOADING',"
                + "'blocksDone':41,'blocksTotal':100,'bytesTotal':104857600},"
                + "'lastRejection':{'code':'INS-DISK','detail':'no room'},"
                + "'lastFailure':{'at':'2026-03-01T11:57:00Z','version':'2.0.0','state':'FAILED','code':'INS-DISK'}";
        JsonNode status = status(under);
        String text = text(status);
        assertThat(text)
                .contains("downloading 2.0.0, 41 % of 100 MiB")
                .containsPattern("last failure +2.0.0 failed, INS-DISK, .* \\(3 minutes ago\\)")
                .doesNotContain("refused");

        // The same of the whole device, as watch shows it.
        JsonNode device = json("{'state':'installing','connected':true,'model':'chat','version':'1.0.0',"
                + "'lastRejection':{'code':'INS-DISK','detail':'no room'},'install':{'model':'chat','version':'2.0.0',"
                + "'state':'DOWNLOADING','blocksDone':41,'blocksTotal':100,'bytesTotal':100}}");
        InstallView install = InstallView.of(device);
        assertThat(install.isTransfer()).isTrue();
        assertThat(WatchCommand.line(device, install))
                .isEqualTo("installing serves chat@1.0.0                chat downloading 2.0.0");
        JsonNode refused = json(
                "{'state':'idle','connected':true,'lastRejection':{'code':'INS-DISK','detail':'no room'},"
                        + "'install':{'model':'chat','version':'2.0.0','state':'FAILED','blocksDone':41,'blocksTotal':100}}");
        assertThat(WatchCommand.line(refused, InstallView.of(refused)))
                .isEqualTo("idle       serves no model                  refused: INS-DISK: no room");
    }

    @Test
    void aPausedDeviceThatIsOfflineSaysSoAndWhatToDo() throws Exception {
        String text =
                text(json("{'device':'d','fleet':'f','agent':'0','state':'paused','connected':false,'enrolled':false,"
                        + "'link':{'connected':false,'lost':{'code':'LNK-DOWN','detail':'refused'},'nextAttempt':'2026-03-01T12:00:12Z'},'paused':true,'pause':{'at':'2026-03-01T11:59:00Z','reason':'at"
                        + " sea'},'tee':{},'models':[]}"));
        assertThat(text)
                .contains("not connected; LNK-DOWN: refused")
                .contains("(in 12 seconds)")
                .containsPattern("paused by hand since .* \\(60 seconds ago\\): at sea; go on by: holdfast resume")
                .contains("none yet; the fleet orders one: fleet desire");
    }

    @Test
    void slotsAreATable() throws Exception {
        JsonNode slots = json("{'models':[{'model':'chat','default':true,'version':'2','slot':'aa','digest':'bb',"
                + "'fallback':{'version':'1','slot':'cc','digest':'dd'},"
                + "'grace':[{'version':'0','slot':'ee','digest':'ff','until':'2026-03-02T12:00:00Z'}]}]}");
        assertThat(new StatusText(Terminal.PLAIN, NOW).slots(slots).lines())
                .containsExactly(
                        "MODEL  ROLE      VERSION  SLOT  DIGEST  NOTE",
                        "chat   serves    2        aa    bb      default",
                        "chat   fallback  1        cc    dd",
                        "chat   grace     0        ee    ff      until "
                                + dev.holdfast.terminal.Units.time("2026-03-02T12:00:00Z", NOW));
    }

    @Test
    void whatADeviceSaysSteersNoTerminal() throws Exception {
        String text = text(status("'state':'a\\u001b[2Jb'"));
        assertThat(text).contains("a?[2Jb").doesNotContain("\u001b");
    }
}
