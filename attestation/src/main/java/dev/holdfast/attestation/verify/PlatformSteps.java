package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.TpmEvidence;
import dev.holdfast.attestation.VmEvidence;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.util.Optional;
import java.util.stream.Collectors;

/** The part of an appraisal that is about the machine beneath the agent. One thread. */
final class PlatformSteps {
    private final AppraisalPolicy policy;
    private final CheckList checks;

    PlatformSteps(AppraisalPolicy policy, CheckList checks) {
        this.policy = policy;
        this.checks = checks;
    }

    /** Carried logs must lead to the quoted registers, whether the policy asks for them or not. */
    void registers(TpmEvidence tpm) {
        policy.registers().forEach((pcr, allowed) -> {
            Binary value = tpm.registers().getOrDefault(pcr, Binary.empty());
            checks.require(
                    "pcr-" + pcr,
                    allowed.stream().anyMatch(one -> one.value().equals(value)),
                    Code.ATT_PLATFORM,
                    () -> "holds " + value.hex(),
                    () -> "PCR " + pcr + (value.length() == 0 ? " is not quoted" : " holds " + value.hex())
                            + ", expected "
                            + allowed.stream().map(Sha256::hex).sorted().collect(Collectors.joining(" or ")));
        });
        if (tpm.bootLog().isPresent() || policy.requireBootLog()) {
            Optional<String> wrong = tpm.bootLog()
                    .map(log -> PlatformReplay.boot(log, tpm.registers()))
                    .orElse(Optional.of("the evidence carries none"));
            checks.require(
                    "boot-log",
                    wrong.isEmpty(),
                    Code.ATT_PLATFORM,
                    () -> "leads to the quoted PCRs 0 to 7",
                    () -> "boot log: " + wrong.orElseThrow());
        }
        if (tpm.imaLog().isPresent() || policy.requireImaLog()) {
            Optional<String> wrong = tpm.imaLog()
                    .map(log -> PlatformReplay.ima(log, tpm.registers()))
                    .orElse(Optional.of("the evidence carries none"));
            checks.require(
                    "ima-log",
                    wrong.isEmpty(),
                    Code.ATT_PLATFORM,
                    () -> "leads to the quoted PCR 10; nobody asked which files are good",
                    () -> "list of measured files: " + wrong.orElseThrow());
        }
    }

    /** A report on the machine must fit, whether a policy asks for it or not. Whose it is is not checked: it grants nothing. */
    void machine(EvidenceClaims claims, Optional<VmEvidence> vm) {
        if (vm.isPresent()) {
            Optional<String> misfit = vm.get().misfit(claims);
            checks.require(
                    "vm-report",
                    misfit.isEmpty(),
                    Code.ATT_PLATFORM,
                    () -> "of " + vm.get().provider()
                            + " carries nonce and claims; its signature is not checked, so it grants nothing",
                    () -> "report of the virtual machine: " + misfit.orElseThrow());
        } else if (claims.platform().containsKey(VmEvidence.FATE)) {
            checks.weaken("vm-report", Code.ATT_PLATFORM, "the device could not have a report of its machine made");
        }
    }
}
