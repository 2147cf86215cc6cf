package plan

// How an operation reads in a list or a log.

import (
	"strconv"
	"strings"
)

// String returns the operation as one line: what it does, and its options in
// brackets.
func (o *Op) String() string {
	var b strings.Builder
	b.WriteString(string(o.Kind))
	b.WriteByte(' ')
	var opts []string
	switch o.Kind {
	case Bind, Copy:
		if o.SrcFD != nil {
			b.WriteString("file descriptor " + strconv.Itoa(*o.SrcFD))
		} else {
			b.WriteString(Quote(string(o.Src)))
		}
		if o.Dst != o.Src {
			b.WriteString(" → " + Quote(string(o.Dst)))
		}
	case Symlink:
		b.WriteString(Quote(string(o.Dst)) + " → " + Quote(string(o.Target)))
	case Overlay:
		b.WriteString(Quote(string(o.Dst)) + " ← ")
		for i, l := range o.Lower {
			if i > 0 {
				b.WriteString(" + ")
			}
			b.WriteString(Quote(string(l)))
		}
		switch {
		case o.UpperTmpfs:
			opts = append(opts, "upper tmpfs")
		case o.Upper != "":
			opts = append(opts, "upper "+Quote(string(o.Upper)))
		default:
			opts = append(opts, "ro")
		}
		if o.Work != "" {
			opts = append(opts, "work "+Quote(string(o.Work)))
		}
	case Write:
		b.WriteString(Quote(string(o.Dst)))
		opts = append(opts, strconv.Itoa(len(o.Data))+" bytes")
	default:
		b.WriteString(Quote(string(o.Dst)))
	}
	flag := func(on bool, name string) {
		if on {
			opts = append(opts, name)
		}
	}
	flag(o.RO, "ro")
	flag(o.Inside, "inside")
	flag(o.NoFollow, "nofollow")
	flag(o.Exact, "exact")
	flag(o.Optional, "optional")
	flag(o.Devices != nil && *o.Devices, "dev")
	flag(o.Devices != nil && !*o.Devices, "nodev")
	flag(o.Create, "create")
	flag(o.CreateSrc, "create_src")
	flag(o.Suid, "suid")
	flag(o.Follow, "follow")
	flag(o.Bare, "bare")
	flag(o.Chase, "chase")
	flag(o.Foreign, "foreign")
	if o.Content != ContentAuto {
		opts = append(opts, string(o.Content))
	}
	if o.Size > 0 {
		opts = append(opts, "size "+strconv.FormatUint(o.Size, 10))
	}
	if o.Mode != nil {
		opts = append(opts, "mode "+o.Mode.String())
	}
	if o.UID != nil {
		opts = append(opts, "uid "+strconv.FormatUint(uint64(*o.UID), 10))
	}
	if o.GID != nil {
		opts = append(opts, "gid "+strconv.FormatUint(uint64(*o.GID), 10))
	}
	if o.ParentMode != nil {
		opts = append(opts, "parents "+o.ParentMode.String())
	}
	if len(opts) > 0 {
		b.WriteString(" [" + strings.Join(opts, ", ") + "]")
	}
	return b.String()
}

// Quote quotes a string where a reader could be misled without.
func Quote(s string) string {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c == '[' || c == ']' || c == ',' || c >= 0x7f {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}
