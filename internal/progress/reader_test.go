package progress

import (
	"bytes"
	"io"
	"testing"
)

func TestReader(t *testing.T) {
	var told []int64
	watch := Watch(func(e Event) { told = append(told, e.(Moving).Octets) })
	in := bytes.Repeat([]byte("x"), 3*often+5)
	out, err := io.ReadAll(watch.Reader(Source, bytes.NewReader(in)))
	if err != nil || !bytes.Equal(in, out) {
		t.Fatalf("%d octets came out of %d: %v", len(out), len(in), err)
	}
	sum := int64(0)
	for _, n := range told {
		sum += n
	}
	if rest := int64(len(in)) - sum; rest < 0 || rest >= often || len(told) == 0 {
		t.Errorf("told of %v, want all but less than %d", told, often)
	}
	if r := bytes.NewReader(in); Watch(nil).Reader(Source, r) != r {
		t.Error("nobody watches, and there is a reader in between")
	}
}
