package probe

// This file reads subuid(5), subgid(5) and passwd(5).

import (
	"strconv"
	"strings"
)

// An idRange is count ids from start.
type idRange struct{ start, count uint64 }

// subRanges returns the ranges of a user in the text of subuid(5) or subgid(5),
// where it may go by its name or its number, and the end of the last range of all.
func subRanges(text, user string, uid int) (own []idRange, end uint64) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 {
			continue
		}
		start, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 != nil || err2 != nil || count == 0 {
			continue
		}
		end = max(end, start+count)
		if f[0] == strconv.Itoa(uid) || user != "" && f[0] == user {
			own = append(own, idRange{start, count})
		}
	}
	return own, end
}

// userName returns the name of uid in the text of passwd(5), or "".
func userName(passwd string, uid int) string {
	for line := range strings.Lines(passwd) {
		f := strings.Split(line, ":")
		if len(f) >= 3 && f[2] == strconv.Itoa(uid) && f[0] != "" {
			return f[0]
		}
	}
	return ""
}

// mendSubIDs gives a user the first 65536 ids that nobody has yet.
func mendSubIDs(user string, uid int, end uint64) string {
	if user == "" {
		user = strconv.Itoa(uid)
	}
	start := max(100000, end)
	span := strconv.FormatUint(start, 10) + "-" + strconv.FormatUint(start+65535, 10)
	return "sudo usermod --add-subuids " + span + " --add-subgids " + span + " " + user
}

const mendNewuidmap = "sudo apt install uidmap # dnf: shadow-utils, pacman: shadow"
