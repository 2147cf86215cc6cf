package plan

// Fields, Differ: what a value says, for those who turn plans into something else and
// must not drop a part of them.

import (
	"reflect"
	"strings"
)

// Take returns a value and leaves the zero value in its place.
func Take[T any](v *T) T {
	got := *v
	var zero T
	*v = zero
	return got
}

// Fields returns the JSON names of the fields of a struct that are not zero,
// "outer.inner" in structs of it. Who has taken out what can be said finds what
// cannot.
func Fields(v any) []string {
	var names []string
	fields(reflect.ValueOf(v), "", &names)
	return names
}

func fields(v reflect.Value, prefix string, names *[]string) {
	for f, x := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case x.IsZero() || x.Kind() == reflect.Slice && x.Len() == 0:
		case x.Kind() == reflect.Struct:
			fields(x, prefix+name+".", names)
		default:
			*names = append(*names, prefix+name)
		}
	}
}

// Differ returns the JSON names, as Fields does, of the fields in which two
// structs of one type differ.
func Differ(x, y any) []string {
	var names []string
	differ(reflect.ValueOf(x), reflect.ValueOf(y), "", &names)
	return names
}

func differ(x, y reflect.Value, prefix string, names *[]string) {
	for f, v := range x.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch w := y.FieldByIndex(f.Index); {
		case v.Kind() == reflect.Struct:
			differ(v, w, prefix+name+".", names)
		case v.Kind() == reflect.Slice && v.Len() == 0 && w.Len() == 0:
		case !reflect.DeepEqual(v.Interface(), w.Interface()):
			*names = append(*names, prefix+name)
		}
	}
}
