package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class SystemReportTest {
    @Test
    void secretsAreOnlySaidToBeSet() {
        Map<String, Object> report =
                SystemReport.take(Map.of("DS_SECRET", "squeamish ossifrage", "RANK", "3", "HOME", "/x"));
        assertFalse(report.toString().contains("squeamish"));
        assertEquals(Map.of("DS_SECRET", "set", "RANK", "3"), report.get("environment"));
        assertEquals(Map.of("DS_SECRET", "unset"), SystemReport.take(Map.of()).get("environment"));
    }

    @Test
    void jsonHasTheParts() {
        var captured = new CapturedConsole();
        assertEquals(0, captured.ds("info", "--json"));
        JsonNode report = JsonMapper.shared().readTree(captured.out());
        assertTrue(report.get("java").asString().startsWith("25"), captured.out());
        assertTrue(report.get("cpu").get("processors").asInt() > 0, captured.out());
        assertTrue(report.get("memory").get("total_bytes").asLong() > 0, captured.out());
        assertTrue(report.get("providers").isArray(), captured.out());
    }

    @Test
    void textHasTheParts() {
        var captured = new CapturedConsole();
        assertEquals(0, captured.ds("info"));
        for (String part : new String[] {"java ", "os ", "processors", "providers", "DS_SECRET"}) {
            assertTrue(captured.out().contains(part), captured.out());
        }
    }
}
