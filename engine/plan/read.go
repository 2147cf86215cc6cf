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

// Read reads the JSON form of a plan, as JSON writes it. Unknown fields, fields
// that are there twice, and any version but this one, are errors. What is absent is as New has it: the
// safe defaults. Whether the plan makes sense is for package validate to say.
func Read(b []byte) (*Plan, error) {
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("not a plan: %w", jsonError(b, err))
	}
	if v.Version != Version {
		return nil, fmt.Errorf("plan version is %d, this sbx reads version %d", v.Version, Version)
	}
	if err := checkKeys(b); err != nil {
		return nil, fmt.Errorf("not a plan: %w", err)
	}
	p := New()
	if err := strictUnmarshal(b, p); err != nil {
		return nil, fmt.Errorf("not a plan: %w", jsonError(b, err))
	}
	if p.Ops == nil {
		p.Ops = []Op{}
	}
	if len(p.Ops) > MaxOps {
		return nil, fmt.Errorf("plan has %d operations, at most %d are allowed", len(p.Ops), MaxOps)
	}
	return p, nil
}

// jsonError tells what is wrong with b, for which encoding/json has the error err:
// whose words, where it is valid JSON, are those of Go's types.
func jsonError(b []byte, err error) error {
	if !json.Valid(b) {
		var syn *json.SyntaxError
		if errors.As(err, &syn) && syn.Offset <= int64(len(b)) {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(b[:syn.Offset], []byte("\n")), err)
		}
		return err
	}
	return cmp.Or(shapeError(b, reflect.TypeFor[Plan]()), err)
}
