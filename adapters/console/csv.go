package console

import (
	"encoding/csv"
	"net/http"

	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// csvPage is how many rows of a file are read at a time.
const csvPage = 500

// sendCSV answers with a file of all rows of a list. read returns a page of the list, and cells
// returns the cells of its items. The next page is read after the client has taken the last one, so
// memory stays flat. The caller is looked up again before each page but the first. A failure after
// the first page cuts the answer.
func sendCSV[T any](
	x *request, name string, columns []string,
	read func(after domain.Cursor) (paging.Page[T], error), cells func([]T) ([][]string, error),
) error {
	page, err := read(domain.Cursor{})
	if err != nil {
		return err
	}
	rows, err := cells(page.Items)
	if err != nil {
		return err
	}
	h := x.Writer().Header()
	x.secure(h)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	x.Writer().WriteHeader(http.StatusOK)
	w := csv.NewWriter(x.Writer())
	w.UseCRLF = true                            // as RFC 4180 has it
	rows = append([][]string{columns}, rows...) // a list without rows is a file with its columns
	for {
		x.Renew()
		for _, row := range rows {
			for i := range row {
				row[i] = domain.CSVCell(row[i])
			}
		}
		if err := w.WriteAll(rows); err != nil { // the client is gone
			x.GiveUp(nil)
			return nil
		}
		if page.Next == nil {
			return nil
		}
		if err = x.console.service.SameRights(x.Context(), x.Call().Caller); err == nil {
			page, err = read(*page.Next)
		}
		if err == nil {
			rows, err = cells(page.Items)
		}
		if err != nil {
			x.GiveUp(err)
			return nil
		}
	}
}
