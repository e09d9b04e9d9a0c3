package dev.holdfast.acceptance;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The arrows between the rooms, as docs/ARCHITECTURE.md draws them. The poms hold the same by the enforcer. */
@AnalyzeClasses(packages = "dev.holdfast", importOptions = ImportOption.DoNotIncludeTests.class)
class ArrowsTest {
    private static final String EVERYTHING_ELSE = "(?!dev\\.holdfast\\.).*";
    /** Beyond it a package has a second concern. */
    private static final int MAX_TYPES = 50;

    /** Each module's package, and those that it names itself; what these may use, it may use too. */
    private static final Map<String, List<String>> ARROWS = Map.ofEntries(
            Map.entry("wire", List.of()),
            Map.entry("testkit", List.of("wire")),
            Map.entry("storage", List.of("wire")),
            Map.entry("tee", List.of("storage")),
            Map.entry("gguf", List.of("wire")),
            Map.entry("delta", List.of("gguf")),
            Map.entry("link", List.of("wire")),
            Map.entry("control", List.of("wire")),
            Map.entry("terminal", List.of("control")),
            Map.entry("log", List.of("control")),
            Map.entry("sockets", List.of("control")),
            Map.entry("bridge", List.of("sockets", "terminal", "log")),
            Map.entry("trust", List.of("tee", "storage")),
            Map.entry("engine", List.of("gguf", "control")),
            Map.entry("attestation", List.of("tee", "storage")),
            Map.entry("updater", List.of("trust", "delta", "control")),
            Map.entry("inference", List.of("engine", "sockets", "log")),
            Map.entry("agent", List.of("updater", "attestation", "link", "sockets", "terminal", "log")),
            Map.entry("cli", List.of("control", "engine", "terminal")),
            Map.entry("image", List.of("wire")),
            Map.entry("fleet", List.of("trust", "delta", "attestation", "engine", "link", "terminal", "log", "image")));

    @ArchTest
    static void eachRoomUsesOnlyWhatItsArrowsReach(JavaClasses all) {
        ARROWS.keySet().forEach(room -> mayUse(room).check(all));
    }

    @ArchTest
    static void everyRoomHasItsArrows(JavaClasses all) {
        Set<String> rooms = all.stream()
                .map(type -> type.getPackageName().split("\\.")[2])
                .collect(Collectors.toCollection(LinkedHashSet::new));
        rooms.removeAll(Set.of("acceptance"));
        assertThat(rooms).isEqualTo(ARROWS.keySet());
    }

    @ArchTest
    static void noPackageHoldsMoreThanOneConcernCanNeed(JavaClasses all) {
        Map<String, Long> types = all.stream()
                .filter(JavaClass::isTopLevelClass)
                .collect(Collectors.groupingBy(JavaClass::getPackageName, Collectors.counting()));
        assertThat(types).allSatisfy((name, count) -> assertThat(count).as(name).isLessThanOrEqualTo(MAX_TYPES));
    }

    @ArchTest
    static final ArchRule theCommandsOfTheFleetAreNoPartOfItsCore = noClasses()
            .that()
            .resideInAPackage("dev.holdfast.fleet")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.holdfast.fleet.cli..");

    @ArchTest
    static final ArchRule devicesSignNoMetadata = noClasses()
            .that()
            .resideInAnyPackage("dev.holdfast.updater..", "dev.holdfast.agent..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.holdfast.trust.signing..");

    /** What both sides read and write knows neither who signs it nor who fetches it. */
    @ArchTest
    static final ArchRule documentsOfTrustKnowNoPrivateKeysAndNoClient = noClasses()
            .that()
            .resideInAnyPackage("dev.holdfast.trust.schema", "dev.holdfast.trust.release")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.holdfast.trust.client", "dev.holdfast.trust.bundle", "dev.holdfast.trust.signing");

    @ArchTest
    static final ArchRule schemaKnowsNoRelease = noClasses()
            .that()
            .resideInAnyPackage("dev.holdfast.trust.schema", "dev.holdfast.trust.signing")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.holdfast.trust.release", "dev.holdfast.trust.client", "dev.holdfast.trust.bundle");

    @ArchTest
    static final ArchRule onlyTheLinkKnowsTheMqttClient = noClasses()
            .that()
            .resideOutsideOfPackage("dev.holdfast.link")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.eclipse.paho..");

    @ArchTest
    static final ArchRule inferenceOpensNoNetworkSocket = noClasses()
            .that()
            .resideInAnyPackage(
                    "dev.holdfast.inference..",
                    "dev.holdfast.engine..",
                    "dev.holdfast.gguf..",
                    "dev.holdfast.sockets..")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.net.Socket")
            .orShould()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.net.InetSocketAddress");

    private static ArchRule mayUse(String room) {
        List<String> allowed = new ArrayList<>(List.of(EVERYTHING_ELSE));
        for (String one : reached(room, new LinkedHashSet<>())) {
            allowed.add("dev\\.holdfast\\." + one + "(\\..*)?");
        }
        return classes()
                .that()
                .resideInAPackage("dev.holdfast." + room + "..")
                .should()
                .onlyDependOnClassesThat()
                .haveNameMatching(String.join("|", allowed));
    }

    private static Set<String> reached(String room, Set<String> found) {
        if (found.add(room)) {
            ARROWS.getOrDefault(room, List.of()).forEach(next -> reached(next, found));
        }
        return found;
    }
}
