package layout

// The index: what lies below a path, for the mounts that hide something.

import "slices"

// index lists what is placed by the directory it is in. Hardly a plan needs one.
type index struct {
	kids  map[string][]string // by canonical directory; those of the host too
	known map[string]bool     // whether a path is in kids
	steps map[string][]int    // by target, indices in Layout.Steps
}

func newIndex(b *builder) *index {
	x := &index{kids: map[string][]string{}, known: map[string]bool{"/": true}, steps: map[string][]int{}}
	for p := range b.nodes {
		x.add(p)
	}
	for i, s := range b.out.Steps {
		x.addStep(s.Target.Path, i)
	}
	return x
}

func (x *index) add(path string) {
	for !x.known[path] {
		x.known[path] = true
		dir, _ := split(path)
		x.kids[dir] = append(x.kids[dir], path)
		path = dir
	}
}

func (x *index) addStep(path string, i int) {
	x.add(path)
	x.steps[path] = append(x.steps[path], i)
}

// drop removes what lies below path from the tree, and returns the steps that
// put it there, in order.
func (x *index) drop(b *builder, path string) []int {
	var gone []int
	for todo := []string{path}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, p := range x.kids[dir] {
			delete(b.nodes, p)
			delete(x.known, p)
			gone = append(gone, x.steps[p]...)
			delete(x.steps, p)
			todo = append(todo, p)
		}
		delete(x.kids, dir)
	}
	slices.Sort(gone)
	return gone
}
