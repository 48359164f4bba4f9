package dial

import "sync/atomic"

// A Meter counts the octets on the wire, those of TLS among them, over all the connections that share it. Its
// zero value is ready; it may be read at any time.
type Meter struct{ read, written atomic.Int64 }

// Read returns the octets received so far.
func (m *Meter) Read() int64 { return m.read.Load() }

// Written returns the octets sent so far.
func (m *Meter) Written() int64 { return m.written.Load() }
