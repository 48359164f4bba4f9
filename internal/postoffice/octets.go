package postoffice

import "bytes"

// toCRLF gives every LF without a CR before it one, and changes nothing else.
func toCRLF(octets []byte) []byte {
	var out bytes.Buffer
	for start := 0; start < len(octets); {
		i := bytes.IndexByte(octets[start:], '\n')
		if i < 0 {
			out.Write(octets[start:])
			break
		}
		line := octets[start : start+i]
		out.Write(line)
		if !bytes.HasSuffix(line, []byte("\r")) {
			out.WriteByte('\r')
		}
		out.WriteByte('\n')
		start += i + 1
	}
	return out.Bytes()
}

// header returns the header with the empty line that ends it, or everything if none does.
func header(octets []byte) []byte {
	for end := 0; end < len(octets); {
		i := bytes.IndexByte(octets[end:], '\n')
		if i < 0 {
			break
		}
		line := octets[end : end+i]
		end += i + 1
		if len(bytes.Trim(line, "\r")) == 0 {
			return octets[:end]
		}
	}
	return octets
}

func has8Bit(octets []byte) bool {
	return bytes.ContainsFunc(octets, func(r rune) bool { return r >= 0x80 })
}
