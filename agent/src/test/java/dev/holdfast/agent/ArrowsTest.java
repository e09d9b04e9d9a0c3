package dev.holdfast.agent;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows between the rooms, as docs/ARCHITECTURE.md draws them. */
@AnalyzeClasses(packages = "dev.holdfast", importOptions = ImportOption.DoNotIncludeTests.class)
class ArrowsTest {
    @ArchTest
    static final ArchRule wireKnowsNobody = noClasses()
            .that()
            .resideInAPackage("dev.holdfast.wire")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.holdfast.tee",
                    "dev.holdfast.gguf",
                    "dev.holdfast.link",
                    "dev.holdfast.attestation",
                    "dev.holdfast.updater..",
                    "dev.holdfast.inference",
                    "dev.holdfast.agent");

    @ArchTest
    static final ArchRule inferenceHasNoSecrets = noClasses()
            .that()
            .resideInAnyPackage("dev.holdfast.inference", "dev.holdfast.gguf")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.holdfast.tee",
                    "dev.holdfast.link",
                    "dev.holdfast.attestation",
                    "dev.holdfast.updater..",
                    "org.eclipse.paho..",
                    "com.google.crypto..");

    @ArchTest
    static final ArchRule updaterParsesNoModelAndKnowsNoTransport = noClasses()
            .that()
            .resideInAPackage("dev.holdfast.updater..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "dev.holdfast.inference", "dev.holdfast.link", "dev.holdfast.attestation", "org.eclipse.paho..");

    @ArchTest
    static final ArchRule nothingDependsOnTheAgent = noClasses()
            .that()
            .resideOutsideOfPackage("dev.holdfast.agent")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.holdfast.agent");
}
