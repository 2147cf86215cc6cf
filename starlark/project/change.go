package project

// Changes: what a file adds to a sandbox, for those who are to trust it.

import (
	"encoding/json"
	"slices"
	"strings"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

// Change is one difference that a file makes.
type Change struct {
	Op    *plan.Op // an operation of the plan; nil: something else
	Name  string   // what is set: "setenv", "command", "unshare.net"
	Value string   // to what; of variables NAME or NAME=value
	Opens bool     // not merely taken away
	At    plan.Origin
}

// Changes returns what plan p has other than base, on which it builds.
func Changes(p, base *plan.Plan) []Change {
	var out []Change
	for _, op := range added(p, base) {
		if op == nil {
			continue // told by what took its place
		}
		out = append(out, Change{Op: op, Name: string(op.Kind), Opens: !tight(op), At: op.At})
	}
	same := 0
	for same < len(base.Env) && same < len(p.Env) && sameEnv(&p.Env[same], &base.Env[same]) {
		same++
	}
	for i := same; i < len(p.Env); i++ {
		e := &p.Env[i]
		if !slices.ContainsFunc(base.Env, func(b plan.EnvOp) bool { return sameEnv(e, &b) }) {
			text := string(e.Name)
			if e.Kind == plan.SetEnv && !IsSecretSet(e) {
				text += "=" + string(e.Value)
			}
			out = append(out, Change{Name: string(e.Kind), Value: text, Opens: true, At: e.At})
		}
	}
	x, y := fields(p), fields(base)
	for _, k := range names(x, y) {
		if x[k] != y[k] {
			out = append(out, Change{Name: k, Value: shown(x[k]), Opens: !tightSetting(k, x[k]), At: whereOf(p, k)})
		}
	}
	return out
}

// shown is the value of a setting for people.
func shown(v string) string {
	if v == "" {
		return "off"
	}
	return v
}

// IsSecretSet reports whether the value of a variable that a script sets is a
// secret. What git reads as settings is one by its name where the caller has it; a
// template of ours sets it to what is no secret by itself.
func IsSecretSet(e *plan.EnvOp) bool {
	name := string(e.Name)
	if strings.HasPrefix(name, "GIT_CONFIG_") && strings.HasPrefix(e.At.Pos.File, "@sbx//git.star") {
		name = ""
	}
	return eval.IsSecretEnv(name, string(e.Value))
}

// tightSetting reports whether a setting only takes away.
func tightSetting(name, value string) bool {
	return strings.HasPrefix(name, "unshare.") && name != "unshare.time" && value == "true"
}

// whereOf returns where a setting was made.
func whereOf(p *plan.Plan, name string) plan.Origin {
	if at := p.Where[name]; !at.IsZero() {
		return at
	}
	return p.Where[strings.TrimSuffix(strings.TrimSuffix(name, "_fds"), "s")]
}

func sameEnv(a, b *plan.EnvOp) bool {
	return a.Kind == b.Kind && a.Name == b.Name && a.Value == b.Value && slices.Equal(a.Keep, b.Keep)
}

// fields returns the settings of a plan by their names in JSON, those of
// namespaces one by one.
func fields(p *plan.Plan) map[string]string {
	q := *p
	q.Ops, q.Env, q.Params, q.Inputs, q.Where = nil, nil, nil, nil, nil
	q.Rlimits = slices.Clone(q.Rlimits)
	for i := range q.Rlimits {
		q.Rlimits[i].At = plan.Origin{}
	}
	out := map[string]string{}
	var all map[string]json.RawMessage
	b, err := json.Marshal(&q)
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		panic("sbx bug: plan does not marshal: " + err.Error())
	}
	for k, v := range all {
		var ns map[string]bool
		if k == "unshare" && json.Unmarshal(v, &ns) == nil {
			for n, on := range ns {
				if on {
					out["unshare."+n] = "true"
				}
			}
			continue
		}
		out[k] = string(v)
	}
	return out
}
