package plan

// Read: the JSON form back into a Plan, strictly.

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
)

func strictUnmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the end of the JSON value")
	}
	return nil
}

// Read reads the JSON form of a plan, as JSON writes it, from the file of that name.
// Unknown fields, fields that are there twice, and any version but this one, are errors:
// Diagnostics with their places in the file. What is absent is as New has it: the
// safe defaults. Whether the plan makes sense is for package validate to say.
func Read(b []byte, file string) (*Plan, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, jsonFaults(b, file, nil, err)
	}
	if v.Version != Version {
		l := newLocator(b, file)
		at, is := 0, "missing"
		for name, i := range l.members(0) {
			if name == "version" {
				at, is = i, strconv.Itoa(v.Version)
				break
			}
		}
		return nil, Diagnostics{{
			At:   l.find(at),
			Msg:  fmt.Sprintf("the plan's version is %s, this sbx reads version %d", is, Version),
			Hint: hintPlan,
		}}
	}
	faults := stringFaults(b)
	p := New()
	if err := strictUnmarshal(b, p); err != nil || faults != nil {
		return nil, jsonFaults(b, file, faults, err)
	}
	if p.Ops == nil {
		p.Ops = []Op{}
	}
	if len(p.Ops) > MaxOps {
		return nil, Diagnostics{{Msg: fmt.Sprintf("plan %q has %d operations, at most %d are allowed", file, len(p.Ops), MaxOps)}}
	}
	return p, nil
}

const hintPlan = "sbx plan --json writes plans"

// jsonFaults tells what is wrong with b, in whose strings there are faults, or for which
// encoding/json has the error err: whose words, where it is valid JSON, are those of
// Go's types.
func jsonFaults(b []byte, file string, inStrings []fault, err error) Diagnostics {
	var list []fault
	if json.Valid(b) {
		list = append(shapeFaults(b, reflect.TypeFor[Plan]()), inStrings...)
		slices.SortStableFunc(list, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
		list = slices.CompactFunc(list, func(a, b fault) bool { return a.at == b.at })
	}
	if list == nil {
		var syn *json.SyntaxError
		at := 0
		if errors.As(err, &syn) && syn.Offset > 0 && syn.Offset <= int64(len(b)) {
			at = int(syn.Offset) - 1 // it is how many bytes had been read
		}
		list = []fault{{at, "not a plan: " + err.Error()}}
	}
	l := newLocator(b, file)
	var ds Diagnostics
	for _, f := range list {
		ds = append(ds, Diagnostic{At: l.find(f.at), Msg: f.msg})
	}
	ds[0].Hint = hintPlan
	return ds
}
