package dev.holdfast.tee;

import dev.holdfast.wire.Binary;

/** The device's half of credential activation (TPM 2.0 Library Part 1, section 24). */
public interface Enroller {
    /** TPMT_PUBLIC of the endorsement key by a TCG default template: P-256, or RSA where only that has a certificate. */
    Binary endorsementPublic() throws TeeException;

    /** The endorsement key's X.509 certificate in DER, or empty bytes where the TPM holds none. */
    Binary endorsementCertificate() throws TeeException;

    /** TPMT_PUBLIC of the attestation key. */
    Binary attestationPublic() throws TeeException;

    /** TPMT_PUBLIC of the device signer, whose name {@link #certifySigner} certifies. */
    Binary signerPublic() throws TeeException;

    /** TPMS_ATTEST by which the attestation key certifies the device signer (TPM2_Certify). */
    Quoter.Quote certifySigner(Binary qualifyingData) throws TeeException;

    /**
     * Opens a credential that {@code MakeCredential} closed for this endorsement key and attestation key.
     *
     * @param credentialBlob TPMS_ID_OBJECT, without the size of the TPM2B around it
     * @param encryptedSecret TPMS_ECC_POINT or the RSA ciphertext, without the size of the TPM2B around it
     */
    Binary activate(Binary credentialBlob, Binary encryptedSecret) throws TeeException;
}
