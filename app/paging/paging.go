// Package paging reads lists page by page.
package paging

import (
	"strconv"

	"github.com/flowlatch/flowlatch/domain"
)

// Max is the largest page of a list, in items.
const Max = 1000

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next is the cursor of the next page; nil if there is none.
	Next *domain.Cursor
}

// CheckLimit returns Invalid unless limit is 1 to Max.
func CheckLimit(limit int) error {
	if limit >= 1 && limit <= Max {
		return nil
	}
	return &domain.Error{Kind: domain.Invalid, Public: "limit must be from 1 to " + strconv.Itoa(Max)}
}

// Read returns a page of at most limit items. It asks read for one item more, to find out
// whether there is a next page. at returns the cursor of an item. Returns Invalid unless limit
// is 1 to Max. An error of read is returned as it is.
func Read[T any](limit int, read func(limit int) ([]T, error), at func(T) domain.Cursor) (Page[T], error) {
	if err := CheckLimit(limit); err != nil {
		return Page[T]{}, err
	}
	items, err := read(limit + 1)
	if err != nil || len(items) <= limit {
		return Page[T]{Items: items}, err
	}
	next := at(items[limit-1])
	return Page[T]{Items: items[:limit], Next: &next}, nil
}

// Each calls do for every item of the list, page by page. An error of read or do ends it and
// is returned as it is.
func Each[T any](read func(after domain.Cursor) (Page[T], error), do func(T) error) error {
	for after := new(domain.Cursor); after != nil; {
		page, err := read(*after)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := do(item); err != nil {
				return err
			}
		}
		after = page.Next
	}
	return nil
}
