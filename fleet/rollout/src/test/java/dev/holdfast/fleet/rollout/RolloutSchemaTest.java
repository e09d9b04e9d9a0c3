package dev.holdfast.fleet.rollout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import org.flywaydb.core.Flyway;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Databases that other versions made. */
class RolloutSchemaTest {
    @TempDir
    Path folder;

    private String url() {
        return "jdbc:sqlite:" + folder.resolve("rollouts.db");
    }

    private void execute(String... lines) throws SQLException {
        try (Connection connection = DriverManager.getConnection(url());
                Statement statement = connection.createStatement()) {
            for (String line : lines) {
                statement.execute(line);
            }
        }
    }

    @Test
    void oneOfTheFirstSchemaIsBroughtToTheNewestAndKeepsWhatItHolds() throws Exception {
        Flyway.configure(getClass().getClassLoader())
                .dataSource(url(), null, null)
                .locations("classpath:dev/holdfast/fleet/rollout")
                .target("1")
                .load()
                .migrate();
        execute(
                "insert into rollout values ('spring', '{}', 'RUNNING', null, 0, 1, 'root', 2, null, '', false, 1)",
                "insert into execution values ('spring', 'cam', 0, 'NOTIFIED', 3, 4, 5, 1, 6, '1.0.0', 'earlier', null, '', null, false, 1)",
                "pragma user_version = 1");
        for (int i = 0; i < 2; i++) {
            try (RolloutStore store = RolloutStore.open(folder)) {
                assertThat(store.executions("spring")).singleElement().satisfies(one -> {
                    assertThat(one.state()).isEqualTo(ExecutionState.NOTIFIED);
                    assertThat(one.failureBefore()).contains("earlier");
                    assertThat(one.refusalBefore()).isEmpty();
                });
            }
        }
    }

    @Test
    void oneOfANewerVersionIsLeftAlone() throws Exception {
        RolloutStore.open(folder).close();
        execute("pragma user_version = 99");
        assertThatThrownBy(() -> RolloutStore.open(folder))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("newer version of Holdfast");
    }
}
