package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** A repository with delegated roles on a real HTTP server. Each role has one Ed25519 key of its own unless told otherwise. */
final class DelegatedRepository implements AutoCloseable {
    static final Instant EXPIRES = RepositorySimulator.LATER;

    /** A role that lists targets: what it says, and who signs it. */
    static final class Role {
        final ObjectNode targets = Json.object();
        final ObjectNode keys = Json.object();
        final ArrayNode delegations = Json.object().putArray("roles");
        SigningKey key = SigningKey.generate(KeyKind.ED25519);
        long version = 1;
        Instant expires = EXPIRES;
    }

    final Map<String, Role> roles = new LinkedHashMap<>();
    /** Files by decoded path below the server's root. */
    final Map<String, byte[]> files = new TreeMap<>();
    /** Paths as they were asked for, not decoded. */
    final List<String> requests = new ArrayList<>();

    RoleSigner root = RepositorySimulator.keys(KeyKind.ED25519);
    final RoleSigner online = RepositorySimulator.keys(KeyKind.ED25519);
    boolean consistent = true;
    long version = 1;
    private final HttpServer server;

    DelegatedRepository() throws IOException {
        roles.put("targets", new Role());
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::serve);
        server.start();
    }

    String url(String folder) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/" + folder + "/";
    }

    Role role(String name) {
        return Objects.requireNonNull(roles.get(name));
    }

    byte[] file(String path) {
        return Objects.requireNonNull(files.get(path));
    }

    /** Lets {@code parent} delegate {@code patterns} to {@code name}, which becomes a role. */
    Role delegate(String parent, String name, boolean terminating, String... patterns) {
        Role role = roles.computeIfAbsent(name, unused -> new Role());
        ObjectNode entry = delegation(parent, name, role.key).put("terminating", terminating);
        ArrayNode paths = entry.putArray("paths");
        for (String pattern : patterns) {
            paths.add(pattern);
        }
        return role;
    }

    Role delegateByHash(String parent, String name, String prefix) {
        Role role = roles.computeIfAbsent(name, unused -> new Role());
        delegation(parent, name, role.key)
                .put("terminating", false)
                .putArray("path_hash_prefixes")
                .add(prefix);
        return role;
    }

    private ObjectNode delegation(String parent, String name, SigningKey key) {
        Role from = role(parent);
        from.keys.set(key.keyId(), key.publicKey().toJson());
        ObjectNode entry = from.delegations.addObject().put("name", name).put("threshold", 1);
        entry.putArray("keyids").add(key.keyId());
        return entry;
    }

    /** Lists a target in a role and offers its file. */
    byte[] target(String role, String path) {
        byte[] content = (role + " says " + path).getBytes(StandardCharsets.UTF_8);
        ObjectNode entry = role(role).targets.putObject(path).put("length", content.length);
        entry.putObject("hashes").put("sha256", Sha256.of(content).hex());
        int slash = path.lastIndexOf('/') + 1;
        String name = Sha256.of(content).hex() + "." + path.substring(slash);
        files.put("/targets/" + (consistent ? path.substring(0, slash) + name : path), content);
        return content;
    }

    byte[] rootFile(long number) {
        Role targets = role("targets");
        RoleSigner targetKeys = new RoleSigner(List.of(targets.key), 1);
        RoleSigners named = new RoleSigners(root, targetKeys, online, online, online);
        ObjectNode signed =
                RootDocument.signedPart(number, EXPIRES, named.roles()).put("consistent_snapshot", consistent);
        return SignedMetadata.sign(signed, root.keys());
    }

    /** Signs everything that the roles say now. */
    void publish() {
        ObjectNode snapshot = Meta.snapshot(version, EXPIRES, Meta.of(1, new byte[0]));
        ObjectNode meta = snapshot.putObject("meta");
        roles.forEach((name, role) -> {
            ObjectNode signed = TargetsRole.signedPart(role.version, role.expires, List.of());
            signed.set("targets", role.targets);
            ObjectNode delegations = signed.putObject("delegations");
            delegations.set("keys", role.keys);
            delegations.set("roles", role.delegations);
            byte[] file = SignedMetadata.sign(signed, List.of(role.key));
            ObjectNode entry = meta.putObject(name + ".json").put("version", role.version);
            entry.putObject("hashes").put("sha256", Sha256.of(file).hex());
            files.put("/metadata/" + (consistent ? role.version + "." : "") + name + ".json", file);
        });
        byte[] snapshotFile = SignedMetadata.sign(snapshot, online.keys());
        files.put("/metadata/" + (consistent ? version + "." : "") + "snapshot.json", snapshotFile);
        files.put(
                "/metadata/timestamp.json",
                SignedMetadata.sign(Meta.timestamp(version, EXPIRES, Meta.of(version, snapshotFile)), online.keys()));
        version++;
    }

    private void serve(HttpExchange exchange) throws IOException {
        requests.add(exchange.getRequestURI().getRawPath());
        String path = exchange.getRequestURI().getPath();
        byte[] file = files.get(path);
        if (path.startsWith("/endless/")) {
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream out = exchange.getResponseBody()) {
                while (true) {
                    out.write(new byte[64 * 1024]);
                }
            }
        }
        exchange.sendResponseHeaders(file == null ? 404 : 200, file == null || file.length == 0 ? -1 : file.length);
        try (OutputStream out = exchange.getResponseBody()) {
            if (file != null) {
                out.write(file);
            }
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
