package page

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// width of a plot, in CSS pixels of a phone; on wider screens several stand in a row.
const width = 360.0

// svg is a drawing under way. Colours are classes, so that light and dark can differ.
type svg struct {
	strings.Builder
	height float64
}

// at writes a coordinate.
func at(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(s, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`, at(x1), at(y1), at(x2), at(y2), class)
}

func (s *svg) rect(x, y, w, h float64, class string) {
	fmt.Fprintf(s, `<rect x="%s" y="%s" width="%s" height="%s" class="%s"/>`, at(x), at(y), at(max(w, 0)), at(h), class)
}

func (s *svg) circle(x, y, r float64, class string) {
	fmt.Fprintf(s, `<circle cx="%s" cy="%s" r="%s" class="%s"/>`, at(x), at(y), at(r), class)
}

// text writes a text that begins ("start"), ends ("end") or is centred ("middle") at x.
func (s *svg) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(s, `<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`, at(x), at(y), anchor, class, html.EscapeString(text))
}

// path draws a line through points, or an area if class fills it.
func (s *svg) path(points [][2]float64, class string) {
	if len(points) == 0 {
		return
	}
	s.WriteString(`<path d="`)
	for i, p := range points {
		s.WriteByte("ML"[min(i, 1)])
		s.WriteString(at(p[0]) + " " + at(p[1]))
	}
	fmt.Fprintf(s, `" class="%s"/>`, class)
}

// drawing finishes it. title says what it shows to those who do not see it.
func (s *svg) drawing(title string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" role="img" aria-label="%s">%s</svg>`,
		at(width), at(s.height), html.EscapeString(title), s.String()))
}

// logTicks returns 1, 2 and 5 times powers of ten within [low, high]; powers alone
// where that would be many.
func logTicks(low, high float64) (ticks []float64) {
	steps := []float64{1, 2, 5}
	if high/low > 200 {
		steps = steps[:1]
	}
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range steps {
			if v := m * math.Pow(10, e); v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// niceStep is a round distance that divides span into at most n parts.
func niceStep(span float64, n int) float64 {
	if span <= 0 {
		return 1
	}
	e := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, m := range []float64{1, 2, 5} {
		if span/(m*e) <= float64(n) {
			return m * e
		}
	}
	return 10 * e
}

// short writes a number with a suffix for thousands and millions.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
