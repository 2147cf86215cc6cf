package plan

// Calls: which built-in a setting of a plan comes from, for those who have to
// say that they cannot do it.

import "strings"

// Call is a call of a built-in; without a position where no script made it.
type Call struct {
	Name string
	At   Origin
}

// Calls returns the calls that a setting is from, which is named as Fields does
// it ("no_userns", "hooks.lock_files"): one, or one for each element of a list
// whose elements have positions of their own.
func (p *Plan) Calls(field string) []Call {
	var list []Call
	each := func(name string, n int, at func(int) Origin) []Call {
		for i := range n {
			list = append(list, Call{name, at(i)})
		}
		return list
	}
	switch field {
	case "rlimits":
		return each("rlimit", len(p.Rlimits), func(i int) Origin { return p.Rlimits[i].At })
	case "filters":
		return each("seccomp", len(p.Filters), func(i int) Origin { return p.Filters[i].At })
	case "hooks.lock_files":
		return each("lock_file", len(p.Hooks.Locks), func(i int) Origin { return p.Hooks.Locks[i].At })
	}
	key := builtin(field)
	if key == "unshare.uts" && p.Where[key].IsZero() && p.Hostname != "" {
		key = "hostname" // which sets it
	}
	name, _, _ := strings.Cut(key, ".")
	return []Call{{name, p.Where[key]}}
}

// builtin returns the key in Plan.Where of a setting.
func builtin(field string) string {
	switch group, _, _ := strings.Cut(field, "."); group {
	case "hooks", "capabilities":
		return group
	case "join":
		return "join_namespaces"
	}
	switch field {
	case "point_mode":
		return "mount_point_mode"
	case "argv0":
		return "command"
	case "default_path", "shell_scripts":
		return "command_search"
	case "try_dir":
		return "same_dir"
	case "identity.root":
		return "become_root"
	case "identity.uid", "identity.gid":
		return "map_user"
	case "identity.uids", "identity.gids":
		return "map_ids"
	case "identity.foreign":
		return "map_foreign"
	case "identity.delegate":
		return "map_delegate"
	case "unshare.user_try", "unshare.cgroup_try":
		return strings.TrimSuffix(field, "_try")
	case "no_userns":
		return "disable_userns"
	case "assert_no_userns":
		return "assert_userns_disabled"
	case "close_fds", "pass_fds":
		return strings.TrimSuffix(field, "s")
	}
	return field
}
