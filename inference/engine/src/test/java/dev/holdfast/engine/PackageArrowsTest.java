package dev.holdfast.engine;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows between the packages of the engine: whoever changes a kernel or a tokenizer need not know what is built on it. */
@AnalyzeClasses(packages = "dev.holdfast.engine", importOptions = ImportOption.DoNotIncludeTests.class)
class PackageArrowsTest {
    @ArchTest
    static final ArchRule arrowsPointDown = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("gate")
            .definedBy("dev.holdfast.engine.gate")
            .layer("models")
            .definedBy("dev.holdfast.engine")
            .layer("architectures")
            .definedBy("dev.holdfast.engine.architectures")
            .layer("text")
            .definedBy("dev.holdfast.engine.text")
            .layer("kernels")
            .definedBy("dev.holdfast.engine.kernels")
            .ensureAllClassesAreContainedInArchitecture()
            .whereLayer("gate")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("models")
            .mayOnlyBeAccessedByLayers("gate")
            .whereLayer("architectures")
            .mayOnlyBeAccessedByLayers("models", "gate")
            .whereLayer("text")
            .mayOnlyBeAccessedByLayers("models", "gate")
            .whereLayer("kernels")
            .mayOnlyBeAccessedByLayers("architectures", "models", "gate");
}
