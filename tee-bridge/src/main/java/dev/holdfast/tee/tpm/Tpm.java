package dev.holdfast.tee.tpm;

/** Constants of the TPM 2.0 Library, Part 2. Only those that we use. */
final class Tpm {
    // 6.3 TPM_ALG_ID
    static final int ALG_RSA = 0x0001;
    static final int ALG_KEYEDHASH = 0x0008;
    static final int ALG_AES = 0x0006;
    static final int ALG_SHA256 = 0x000b;
    static final int ALG_NULL = 0x0010;
    static final int ALG_ECDSA = 0x0018;
    static final int ALG_ECC = 0x0023;
    static final int ALG_CFB = 0x0043;
    // 6.4 TPM_ECC_CURVE
    static final int ECC_NIST_P256 = 0x0003;
    // 6.2 TPM_GENERATED and 6.9 TPM_ST
    static final long GENERATED = 0xff544347L;
    static final int ST_NO_SESSIONS = 0x8001;
    static final int ST_SESSIONS = 0x8002;
    static final int ST_ATTEST_NV = 0x8014;
    static final int ST_ATTEST_CERTIFY = 0x8017;
    static final int ST_ATTEST_QUOTE = 0x8018;
    static final int ST_HASHCHECK = 0x8024;
    // 7.4 TPM_RH
    static final long RH_OWNER = 0x40000001L;
    static final long RH_NULL = 0x40000007L;
    static final long RS_PW = 0x40000009L;
    static final long RH_ENDORSEMENT = 0x4000000bL;
    // 8.3 TPMA_OBJECT
    static final long FIXED_TPM = 1L << 1;
    static final long FIXED_PARENT = 1L << 4;
    static final long SENSITIVE_DATA_ORIGIN = 1L << 5;
    static final long USER_WITH_AUTH = 1L << 6;
    static final long ADMIN_WITH_POLICY = 1L << 7;
    static final long NO_DA = 1L << 10;
    static final long RESTRICTED = 1L << 16;
    static final long DECRYPT = 1L << 17;
    static final long SIGN_ENCRYPT = 1L << 18;
    // 13.4 TPMA_NV
    static final long NV_OWNERWRITE = 1L << 1;
    static final long NV_AUTHWRITE = 1L << 2;
    static final long NV_POLICYWRITE = 1L << 3;
    static final long NV_COUNTER = 1L << 4;
    static final long NV_TYPE_EXTEND = 4L << 4;
    static final long NV_WRITELOCKED = 1L << 11;
    static final long NV_WRITEDEFINE = 1L << 13;
    static final long NV_OWNERREAD = 1L << 17;
    static final long NV_AUTHREAD = 1L << 18;
    static final long NV_NO_DA = 1L << 25;
    static final long NV_ORDERLY = 1L << 26;
    static final long NV_CLEAR_STCLEAR = 1L << 27;
    static final long NV_WRITTEN = 1L << 29;
    // 6.5 TPM_CC
    static final long CC_EVICT_CONTROL = 0x120;
    static final long CC_NV_UNDEFINE_SPACE = 0x122;
    static final long CC_NV_DEFINE_SPACE = 0x12a;
    static final long CC_CREATE_PRIMARY = 0x131;
    static final long CC_NV_INCREMENT = 0x134;
    static final long CC_NV_EXTEND = 0x136;
    static final long CC_NV_WRITE = 0x137;
    static final long CC_NV_WRITE_LOCK = 0x138;
    static final long CC_STARTUP = 0x144;
    static final long CC_ACTIVATE_CREDENTIAL = 0x147;
    static final long CC_CERTIFY = 0x148;
    static final long CC_NV_READ = 0x14e;
    static final long CC_POLICY_SECRET = 0x151;
    static final long CC_CREATE = 0x153;
    static final long CC_LOAD = 0x157;
    static final long CC_QUOTE = 0x158;
    static final long CC_SIGN = 0x15d;
    static final long CC_UNSEAL = 0x15e;
    static final long CC_CONTEXT_LOAD = 0x161;
    static final long CC_CONTEXT_SAVE = 0x162;
    static final long CC_FLUSH_CONTEXT = 0x165;
    static final long CC_LOAD_EXTERNAL = 0x167;
    static final long CC_NV_READ_PUBLIC = 0x169;
    static final long CC_POLICY_AUTHORIZE = 0x16a;
    static final long CC_POLICY_COMMAND_CODE = 0x16c;
    static final long CC_POLICY_OR = 0x171;
    static final long CC_READ_PUBLIC = 0x173;
    static final long CC_START_AUTH_SESSION = 0x176;
    static final long CC_VERIFY_SIGNATURE = 0x177;
    static final long CC_GET_CAPABILITY = 0x17a;
    static final long CC_PCR_READ = 0x17e;
    static final long CC_POLICY_PCR = 0x17f;
    static final long CC_NV_CERTIFY = 0x184;
    static final long CC_POLICY_GET_DIGEST = 0x189;
    static final long CC_READ_CLOCK = 0x181;
    static final long CC_PCR_EXTEND = 0x182;
    static final long CC_POLICY_NV_WRITTEN = 0x18f;
    // 6.6 TPM_RC
    static final long RC_SUCCESS = 0;
    static final long RC_INITIALIZE = 0x100;
    static final long RC_YIELDED = 0x908;
    static final long RC_TESTING = 0x90a;
    static final long RC_NV_RATE = 0x920;
    static final long RC_LOCKOUT = 0x921;
    static final long RC_RETRY = 0x922;
    /** Format-one codes without the number of the handle, session or parameter. */
    static final long RC_HANDLE = 0x08b;

    static final long RC_AUTH_FAIL = 0x08e;
    static final long RC_SIGNATURE = 0x09b;
    static final long RC_BAD_AUTH = 0x0a2;

    private Tpm() {}

    /** Whether an authorization value was wrong; which of the two it is depends on the lockout. */
    static boolean isAuthFailure(long rc) {
        return base(rc) == RC_AUTH_FAIL || base(rc) == RC_BAD_AUTH;
    }

    /** A format-one code (bit 7) reduced to the error alone; others unchanged (Part 2, 6.6.2). */
    static long base(long rc) {
        return (rc & 0x80) != 0 ? rc & 0xbf : rc;
    }
}
