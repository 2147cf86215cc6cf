package mkosi

import (
	"fmt"
	"strings"

	"sbx/engine/plan"
)

// Describe says what an operation does, for --debug.
func Describe(o *plan.Op) string {
	switch o.Kind {
	case plan.Bind:
		var how []string
		for _, v := range []struct {
			on   bool
			name string
		}{{o.RO, "readonly"}, {o.Optional, "optional"}, {o.Foreign, "foreign"}, {o.Inside, "relative"}, {o.NoFollow, "nofollow"}} {
			if v.on {
				how = append(how, v.name)
			}
		}
		s := fmt.Sprintf("bind %s -> %s", o.Src, o.Dst)
		if how != nil {
			s += " [" + strings.Join(how, ", ") + "]"
		}
		return s
	case plan.Symlink:
		return fmt.Sprintf("symlink %s -> %s", o.Dst, o.Target)
	case plan.Write:
		return fmt.Sprintf("write %d bytes to %s", len(o.Data), o.Dst)
	case plan.Mkdir:
		return "mkdir " + string(o.Dst)
	case plan.Overlay:
		var lower []string
		for _, l := range o.Lower {
			lower = append([]string{string(l)}, lower...)
		}
		upper := string(o.Upper)
		if o.UpperTmpfs {
			upper = "tmpfs"
		} else if upper == "" {
			upper = "-"
		}
		return fmt.Sprintf("overlay at %s (lowers=[%s], upper=%s)", o.Dst, strings.Join(lower, ", "), upper)
	}
	return fmt.Sprintf("%s at %s", o.Kind, o.Dst)
}
