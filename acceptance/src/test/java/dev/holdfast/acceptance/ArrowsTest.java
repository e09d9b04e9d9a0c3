package dev.holdfast.acceptance;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayList;
import java.util.List;

/** The arrows between the rooms, as docs/ARCHITECTURE.md draws them. The poms hold the same by the enforcer. */
@AnalyzeClasses(packages = "dev.holdfast", importOptions = ImportOption.DoNotIncludeTests.class)
class ArrowsTest {
    private static final String EVERYTHING_ELSE = "(?!dev\\.holdfast\\.).*";

    @ArchTest
    static final ArchRule wireKnowsNobody = mayUse("wire");

    @ArchTest
    static final ArchRule teeBridgeKnowsTheWireOnly = mayUse("tee", "wire");

    @ArchTest
    static final ArchRule ggufKnowsTheWireOnly = mayUse("gguf", "wire");

    @ArchTest
    static final ArchRule linkKnowsTheWireOnly = mayUse("link", "wire");

    @ArchTest
    static final ArchRule attestationStandsOnTheTee = mayUse("attestation", "tee", "wire");

    @ArchTest
    static final ArchRule updaterStandsOnTheTeeAndKnowsBlockLayouts = mayUse("updater", "tee", "gguf", "wire");

    @ArchTest
    static final ArchRule inferenceHasNoSecrets = mayUse("inference", "gguf", "wire");

    @ArchTest
    static final ArchRule fleetIsNotTheDevice =
            mayUse("fleet", "updater", "attestation", "inference", "link", "tee", "gguf", "wire");

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
            .resideInAnyPackage("dev.holdfast.inference..", "dev.holdfast.gguf..")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.net.Socket")
            .orShould()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.net.InetSocketAddress");

    private static ArchRule mayUse(String room, String... others) {
        List<String> allowed = new ArrayList<>(List.of("dev\\.holdfast\\." + room + "(\\..*)?", EVERYTHING_ELSE));
        for (String other : others) {
            allowed.add("dev\\.holdfast\\." + other + "(\\..*)?");
        }
        return classes()
                .that()
                .resideInAPackage("dev.holdfast." + room + "..")
                .should()
                .onlyDependOnClassesThat()
                .haveNameMatching(String.join("|", allowed));
    }
}
