package host

// What the kernel tells in text.

import (
	"slices"
	"strconv"
	"strings"
)

// parseMountinfo returns the mount points of proc_pid_mountinfo(5), sorted.
func parseMountinfo(text string) []string {
	list := []string{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(line, " ", 6) // other white space is not escaped
		if len(f) == 6 {
			list = append(list, unescapeOctal(f[4]))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// unescapeOctal undoes \040 and its like.
func unescapeOctal(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
