package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.flywaydb.core.Flyway;
import org.jspecify.annotations.Nullable;

/**
 * One SQLite file, which the fleet's service and an operator's commands share. Each call is a transaction of its own, or a part of that of
 * {@link #together}. Thread-safe: one at a time.
 */
final class Database implements AutoCloseable {
    /** The newest of the migrations. */
    private static final int SCHEMA = 2;

    /** Longer than the service's largest transaction takes. */
    private static final int BUSY_MILLIS = 30_000;

    private final Path file;
    private final Connection connection;
    private boolean together;

    private Database(Path file, Connection connection) {
        this.file = file;
        this.connection = connection;
    }

    /** A piece of work that is done whole or not at all. */
    @FunctionalInterface
    interface Work<T> {
        T run() throws IOException, RejectedException;
    }

    @FunctionalInterface
    interface RowReader<T> {
        T read(Row row) throws SQLException, RejectedException;
    }

    /** Opens the file, and makes it or brings it to the newest schema where it is not. */
    static Database open(Path file) throws IOException {
        String url = "jdbc:sqlite:" + file;
        try {
            Connection connection = DriverManager.getConnection(url);
            try (Statement statement = connection.createStatement()) {
                statement.execute("pragma busy_timeout = " + BUSY_MILLIS);
                statement.execute("pragma journal_mode = wal");
                statement.execute("pragma synchronous = full");
                statement.execute("pragma foreign_keys = on");
                int version = version(statement);
                if (version > SCHEMA) {
                    throw new IOException(file + " is of a newer version of Holdfast: it has schema " + version
                            + ", this one knows up to " + SCHEMA);
                }
                if (version < SCHEMA) {
                    Flyway.configure(Database.class.getClassLoader())
                            .dataSource(url, null, null)
                            .locations("classpath:dev/holdfast/fleet/rollout")
                            .load()
                            .migrate();
                    statement.execute("pragma user_version = " + SCHEMA);
                }
                return new Database(file, connection);
            } catch (SQLException | IOException | RuntimeException e) {
                connection.close();
                throw e;
            }
        } catch (SQLException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    private static int version(Statement statement) throws SQLException {
        try (ResultSet row = statement.executeQuery("pragma user_version")) {
            return row.next() ? row.getInt(1) : 0;
        }
    }

    /** Whether a fleet has a database at all; a question is no reason to make one. */
    static boolean isThere(Path file) {
        return Files.exists(file);
    }

    /** Does work as one transaction, which other processes see whole or not at all. */
    synchronized <T> T together(Work<T> work) throws IOException, RejectedException {
        if (together) {
            return work.run();
        }
        // A writer from the start: one that had read before it writes would be refused where another one wrote
        // meanwhile.
        update("begin immediate");
        together = true;
        boolean done = false;
        try {
            T result = work.run();
            update("commit");
            done = true;
            return result;
        } finally {
            together = false;
            if (!done) {
                update("rollback");
            }
        }
    }

    /** @return how many rows it changed */
    synchronized int update(String sql, @Nullable Object... values) throws IOException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            put(statement, values);
            return statement.executeUpdate();
        } catch (SQLException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    /** What {@code reader} makes of each row. */
    synchronized <T> List<T> all(String sql, RowReader<T> reader, @Nullable Object... values)
            throws IOException, RejectedException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            put(statement, values);
            try (ResultSet rows = statement.executeQuery()) {
                List<T> read = new ArrayList<>();
                while (rows.next()) {
                    read.add(reader.read(new Row(rows)));
                }
                return read;
            }
        } catch (SQLException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }

    <T> Optional<T> first(String sql, RowReader<T> reader, @Nullable Object... values)
            throws IOException, RejectedException {
        return all(sql, reader, values).stream().findFirst();
    }

    private static void put(PreparedStatement statement, @Nullable Object[] values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            Object value = values[i] instanceof Optional<?> optional ? optional.orElse(null) : values[i];
            statement.setObject(
                    i + 1,
                    switch (value) {
                        case null -> null;
                        case Instant at -> at.toEpochMilli();
                        case Enum<?> word -> word.name();
                        default -> value;
                    });
        }
    }

    /** A row, by the names of its columns. */
    record Row(ResultSet columns) {
        String text(String column) throws SQLException {
            return columns.getString(column);
        }

        Optional<String> textOrNone(String column) throws SQLException {
            return Optional.ofNullable(columns.getString(column));
        }

        long number(String column) throws SQLException {
            return columns.getLong(column);
        }

        boolean flag(String column) throws SQLException {
            return columns.getBoolean(column);
        }

        Instant time(String column) throws SQLException {
            return Instant.ofEpochMilli(columns.getLong(column));
        }

        Optional<Instant> timeOrNone(String column) throws SQLException {
            long millis = columns.getLong(column);
            return columns.wasNull() ? Optional.empty() : Optional.of(Instant.ofEpochMilli(millis));
        }
    }

    @Override
    public synchronized void close() throws IOException {
        try {
            connection.close();
        } catch (SQLException e) {
            throw new IOException(file + ": " + e.getMessage(), e);
        }
    }
}
