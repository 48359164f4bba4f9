package migrate

import (
	"slices"
	"strings"
	"unicode"
)

// Two names are the same to a person, and to some servers, that are not to others: "Entwürfe" may be written with one
// letter ü or with a u and a mark (Unicode's NFC and NFD), and case may count or not. So names are compared by keys.

// nameKey returns the same for names that differ in their normal form only.
func nameKey(s string) string { return string(decompose(s)) }

// foldedKey returns the same for names that differ in case as well.
func foldedKey(s string) string {
	return strings.Map(foldRune, nameKey(s))
}

// wordKey returns the same for names that say the same word: letters and digits alone count, and neither case nor marks.
func wordKey(s string) string {
	return strings.Map(func(r rune) rune {
		if to, ok := sameLetter[r]; ok {
			r = to
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return foldRune(r)
	}, nameKey(s))
}

// sameLetter is for letters that stand for each other on the keyboards of a language.
var sameLetter = map[rune]rune{
	'ı': 'i', 'ي': 'ی', 'ى': 'ی', 'ك': 'ک', 'ة': 'ه', // Turkish; Arabic and Persian
}

// foldRune returns the first of the runes that differ in case only.
func foldRune(r rune) rune {
	first := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		first = min(first, next)
	}
	return first
}

// decompose takes letters apart into base and marks, and puts the marks of a letter into one order.
func decompose(s string) []rune {
	var out []rune
	for _, r := range s {
		out = appendDecomposed(out, r)
	}
	for i := 0; i < len(out); i++ {
		end := i
		for end < len(out) && unicode.Is(unicode.Mn, out[end]) {
			end++
		}
		slices.Sort(out[i:end])
		i = end
	}
	return out
}

const (
	hangul, hangulEnd = 0xAC00, 0xD7A3 // syllables, made of a lead, a vowel and perhaps a tail (Unicode §3.12)
	lead, vowel, tail = 0x1100, 0x1161, 0x11A7
	vowels, tails     = 21, 28
)

func appendDecomposed(out []rune, r rune) []rune {
	if r >= hangul && r <= hangulEnd {
		n := r - hangul
		out = append(out, lead+n/(vowels*tails), vowel+n%(vowels*tails)/tails)
		if t := n % tails; t > 0 {
			out = append(out, tail+t)
		}
		return out
	}
	if parts, ok := decompositions[r]; ok {
		return append(appendDecomposed(out, parts[0]), parts[1])
	}
	return append(out, r)
}

// decompositions maps a letter to its base and its mark.
var decompositions = func() map[rune][2]rune {
	all := make(map[rune][2]rune)
	for _, m := range marked {
		letters := []rune(m.letters)
		for i := 0; i < len(letters); i += 2 {
			all[letters[i+1]] = [2]rune{letters[i], m.mark}
		}
	}
	return all
}()
