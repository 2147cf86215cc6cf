package probe

// This file reads the texts of proc(5).

import (
	"strconv"
	"strings"
)

// statusField returns a field of proc_pid_status(5).
func statusField(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// idMapped reports whether an id is in a map, user_namespaces(7). One that is in
// none shows as 65534, which the map need not have.
func idMapped(text string, id int) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(f[0])
		count, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && id >= first && id-first < count {
			return true
		}
	}
	return text == "" // a kernel without user namespaces, or no /proc
}

// mountsBelowProc returns the mount points below /proc in a proc_pid_mountinfo(5).
// Unless the kernel keeps the directory empty for it, such a mount hides something,
// and then a user namespace may not mount a proc that shows it.
func mountsBelowProc(text string) []string {
	var points []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasPrefix(f[4], "/proc/") && f[4] != "/proc/sys/fs/binfmt_misc" {
			points = append(points, f[4])
		}
	}
	return points
}
