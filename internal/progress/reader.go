package progress

import "io"

// often is after how many octets of a message it is told that they went: once a second on the slowest of lines.
const often = 16 << 10

// Reader returns a reader of r that tells w what goes through it.
func (w Watch) Reader(h Half, r io.Reader) io.Reader {
	if w == nil {
		return r
	}
	return &reader{Reader: r, watch: w, half: h}
}

type reader struct {
	io.Reader
	watch  Watch
	half   Half
	untold int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if r.untold += int64(n); r.untold >= often {
		r.watch(Moving{Half: r.half, Octets: r.untold})
		r.untold = 0
	}
	return n, err
}
