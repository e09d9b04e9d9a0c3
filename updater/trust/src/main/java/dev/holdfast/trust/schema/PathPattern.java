package dev.holdfast.trust.schema;

/**
 * Patterns of target paths (TUF 1.0.34 section 4.5): {@code *} stands for any characters and {@code ?} for one, neither of them
 * for a slash. Takes time in proportion to pattern times path at most.
 */
public final class PathPattern {
    private PathPattern() {}

    public static boolean matches(String pattern, String path) {
        int p = 0;
        int s = 0;
        int star = -1;
        int resume = 0;
        while (s < path.length()) {
            char c = path.charAt(s);
            char wanted = p < pattern.length() ? pattern.charAt(p) : '\0';
            boolean more = p < pattern.length();
            if (more && wanted == '*') {
                star = p++;
                resume = s;
            } else if (more && (wanted == c || wanted == '?' && c != '/')) {
                p++;
                s++;
            } else if (star >= 0 && path.charAt(resume) != '/') {
                s = ++resume;
                p = star + 1;
            } else {
                return false;
            }
        }
        while (p < pattern.length() && pattern.charAt(p) == '*') {
            p++;
        }
        return p == pattern.length();
    }
}
