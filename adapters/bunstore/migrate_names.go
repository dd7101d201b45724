package bunstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports/archive"
)

// namesAtOnce is how many names are read or changed at once. SQLite binds at most 32,766 values.
const namesAtOnce = 500

// namedRow is a row of a table that has a name.
type namedRow struct {
	ID   string
	Name string
}

// normalizeNames brings the names of assistants and access tokens into NFC. The names in grants
// follow those of the assistants by their foreign key.
func (s *Store) normalizeNames(ctx context.Context, tx bun.Tx) error {
	for _, table := range []string{"projects", "access_tokens"} {
		changed := 0
		err := s.eachNames(ctx, tx, table, func(rows []namedRow) error {
			rows = slices.DeleteFunc(rows, func(r namedRow) bool { return archive.NameOf(r.Name) == r.Name })
			changed += len(rows)
			return s.setTexts(ctx, tx, table, "name", rows, archive.NameOf)
		})
		if err != nil {
			return err
		}
		if changed > 0 {
			s.options.Log.InfoContext(ctx, "names brought into NFC", "table", table, "names", changed)
		}
	}
	return nil
}

// fillSearch fills in the form of each assistant's name in which a search compares it.
func (s *Store) fillSearch(ctx context.Context, tx bun.Tx) error {
	return s.eachNames(ctx, tx, "projects", func(rows []namedRow) error {
		return s.setTexts(ctx, tx, "projects", "search", rows, domain.SearchText)
	})
}

// eachNames calls do with all rows of the table, some at a time.
func (s *Store) eachNames(ctx context.Context, tx bun.Tx, table string, do func(rows []namedRow) error) error {
	for after := ""; ; {
		var rows []namedRow
		if err := s.query(ctx, tx.Tx, &rows, `SELECT id, name FROM `+table+` WHERE id > $1 ORDER BY id LIMIT `+strconv.Itoa(namesAtOnce), after); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].ID
		if err := do(rows); err != nil {
			return err
		}
	}
}

// setTexts stores what text makes of the name of each row in the column, all by one statement.
func (s *Store) setTexts(ctx context.Context, tx bun.Tx, table, column string, rows []namedRow, text func(name string) string) error {
	if len(rows) == 0 {
		return nil
	}
	var places strings.Builder
	values := make([]any, 0, 2*len(rows))
	for i, row := range rows {
		if i > 0 {
			places.WriteString(", ")
		}
		places.WriteString("($" + strconv.Itoa(2*i+1) + ", $" + strconv.Itoa(2*i+2) + ")")
		values = append(values, row.ID, text(row.Name))
	}
	_, err := s.exec(ctx, tx.Tx, `WITH changed (id, text) AS (VALUES `+places.String()+`)
UPDATE `+table+` SET `+column+` = changed.text FROM changed WHERE `+table+`.id = changed.id`, values...)
	return err
}

// Twin is an assistant whose name, in NFC, another assistant has too.
type Twin struct {
	ID        domain.ProjectID
	Name      string // in NFC
	Voiceflow domain.VoiceflowID
}

// Twins lists the assistants that only their ids tell apart, sorted by name and id: different
// assistants of one name. Before the migration of names, names that become equal by it count as
// one. Returns Unavailable if the database does not answer.
func (s *Store) Twins(ctx context.Context) ([]Twin, error) {
	var twins []Twin
	err := s.read(ctx, "list the names that meet", func(ctx context.Context) error {
		twins = nil
		if applied, err := s.applied(ctx, s.reads); err != nil || len(applied) == 0 {
			return err
		}
		byName := map[string][]twinRow{}
		for after := ""; ; {
			var rows []twinRow
			if err := s.query(ctx, s.reads.DB, &rows, `SELECT id, name, voiceflow_id FROM projects WHERE id > $1 ORDER BY id LIMIT `+strconv.Itoa(namesAtOnce), after); err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			after = rows[len(rows)-1].ID
			for _, row := range rows {
				name := archive.NameOf(row.Name)
				byName[name] = append(byName[name], row)
			}
		}
		for name, rows := range byName {
			if !meet(rows) {
				continue
			}
			for _, row := range rows {
				twins = append(twins, Twin{ID: domain.ProjectID(row.ID), Name: name, Voiceflow: row.VoiceflowID})
			}
		}
		slices.SortFunc(twins, func(a, b Twin) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
		return nil
	})
	return twins, err
}

// twinRow is a row of projects.
type twinRow struct {
	ID          string
	Name        string
	VoiceflowID domain.VoiceflowID
}

// meet reports whether the rows, which have one name in NFC, differ in the bytes of their names or
// are different assistants at Voiceflow. Two environments of one assistant have one name by right.
func meet(rows []twinRow) bool {
	return slices.ContainsFunc(rows, func(r twinRow) bool { return r.Name != rows[0].Name || r.VoiceflowID != rows[0].VoiceflowID })
}
