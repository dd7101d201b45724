package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/internal/terminal"
)

// sentence returns an error as one line for the operator.
func sentence(err error) string {
	var parts []string
	for err != nil {
		e, ok := errors.AsType[*domain.Error](err)
		if !ok {
			parts = append(parts, err.Error())
			break
		}
		if e.Public != "" {
			parts = append(parts, e.Public)
		}
		for _, p := range e.Projects {
			parts = append(parts, terminal.Visible(p.Name)+" has the Id "+string(p.ID))
		}
		err = e.Cause
		if err == nil && len(parts) == 0 {
			parts = append(parts, string(e.Kind))
		}
	}
	return terminal.OneLine(strings.Join(parts, ": "))
}

// stamp returns a time in the format of the routes.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// listing prints a list. A line is a row in aligned columns, or a JSON object.
type listing[T any] struct {
	columns []string
	cells   func(T) []string // in the order of columns
	object  func(T) any
}

// print writes the whole list. read returns the page after a cursor.
func (l listing[T]) print(w io.Writer, asJSON bool, read func(after domain.Cursor) (paging.Page[T], error)) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON {
		_, _ = fmt.Fprintln(table, strings.Join(l.columns, "\t")) // Flush returns the error
	}
	for next := new(domain.Cursor); next != nil; {
		page, err := read(*next)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if !asJSON {
				_, _ = fmt.Fprintln(table, strings.Join(l.cells(item), "\t"))
			} else if err := printJSON(w, l.object(item)); err != nil {
				return err
			}
		}
		next = page.Next
	}
	return table.Flush()
}

// printJSON writes v as one line of JSON. It escapes characters that can't be printed.
func printJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var line strings.Builder
	for _, r := range string(b) {
		if unicode.IsPrint(r) {
			line.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			_, _ = fmt.Fprintf(&line, `\u%04x`, unit)
		}
	}
	_, err = io.WriteString(w, line.String()+"\n")
	return err
}
