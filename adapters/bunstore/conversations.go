package bunstore

import (
	"bytes"
	"context"

	"github.com/uptrace/bun"

	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
)

var _ ports.Conversations = (*Conversations)(nil)

// Conversations is a ports.Conversations on a Store.
type Conversations struct{ store *Store }

type conversationRow struct {
	bun.BaseModel `bun:"table:conversations"`

	ID        domain.ConversationID `bun:",pk"`
	ProjectID domain.ProjectID
	UserID    string // the user id at Voiceflow
	SessionID domain.SessionID
	TokenID   domain.TokenID
	KeyID     domain.KeyID
	Sealed    []byte
	Created   int64
	Expires   int64

	HandleSealedBy domain.KeyID
	Environment    string // "" if Voiceflow chose it
}

func (r *conversationRow) conversation() domain.Conversation {
	return domain.Conversation{
		ID: r.ID, Project: r.ProjectID, UserID: r.UserID, Session: r.SessionID, Token: r.TokenID,
		Key: domain.Sealed{Key: r.KeyID, Bytes: r.Sealed}, Created: instant(r.Created), Expires: instant(r.Expires),
		HandleSealedBy: r.HandleSealedBy, Environment: r.Environment,
	}
}

const conversationColumns = `c.id, c.project_id, c.user_id, c.session_id, c.token_id, c.key_id, c.sealed, c.created, c.expires, c.handle_sealed_by, c.environment`

const (
	openConversation = `INSERT INTO conversations (id, project_id, user_id, session_id, token_id, key_id, sealed, created, expires, handle_sealed_by, environment)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (project_id, user_id) DO UPDATE SET
	id = excluded.id, session_id = excluded.session_id, token_id = excluded.token_id,
	key_id = excluded.key_id, sealed = excluded.sealed, created = excluded.created, expires = excluded.expires,
	handle_sealed_by = excluded.handle_sealed_by, environment = excluded.environment`
)

var (
	renewConversation = `UPDATE conversations SET key_id = $4, sealed = $5 WHERE id = $1 AND key_id = $2 AND sealed = $3 AND ` +
		conversationLives("conversations", "$6")

	selectConversationKey = `SELECT c.key_id, c.sealed FROM conversations c WHERE c.id = $1 AND ` + conversationLives("c", "$2")
)

// conversationLives is the condition of domain.Conversation.Live at the time now, a parameter.
func conversationLives(c, now string) string {
	return `COALESCE((SELECT t.expires FROM access_tokens t WHERE t.id = ` + c + `.token_id), ` + c + `.expires) > ` + now
}

func noConversation() error { return domain.NoSuch("conversation") }

// Open implements ports.Conversations.
func (c *Conversations) Open(ctx context.Context, conversation domain.Conversation) error {
	s := c.store
	return s.change(ctx, "open a conversation", func(ctx context.Context, tx bun.Tx) error {
		if _, err := s.lockProject(ctx, tx, conversation.Project, "KEY SHARE"); err != nil {
			return err
		}
		if conversation.Token != "" {
			if err := s.keepToken(ctx, tx, conversation.Token); err != nil {
				return err
			}
		}
		_, err := s.exec(ctx, tx.Tx, openConversation, string(conversation.ID), string(conversation.Project), conversation.UserID,
			nullable(string(conversation.Session)), nullable(string(conversation.Token)),
			string(conversation.Key.Key), conversation.Key.Bytes, micros(conversation.Created), micros(conversation.Expires), string(conversation.HandleSealedBy),
			conversation.Environment)
		return err
	})
}

// keepToken keeps the access token until the end of the transaction. Returns NotFound if
// there is none.
func (s *Store) keepToken(ctx context.Context, tx bun.Tx, id domain.TokenID) error {
	if err := domain.Storable(id); err != nil {
		return err
	}
	var rows []tokenRow
	if err := s.lock(tx.NewSelect().Model(&rows).Column("id").Where("id = ?", id), "KEY SHARE").Scan(ctx); err != nil {
		return err
	}
	if len(rows) == 0 {
		return noToken()
	}
	return nil
}

// Renew implements ports.Conversations. Returns NotFound for a conversation that is over.
func (c *Conversations) Renew(ctx context.Context, id domain.ConversationID, from, to domain.Sealed) (domain.Sealed, error) {
	s := c.store
	var stored domain.Sealed
	err := s.change(ctx, "renew a conversation", func(ctx context.Context, tx bun.Tx) error {
		now := micros(s.options.Now())
		renewed, err := s.exec(ctx, tx.Tx, renewConversation, string(id), string(from.Key), from.Bytes, string(to.Key), to.Bytes, now)
		if err != nil {
			return err
		}
		if renewed == 1 {
			stored = domain.Sealed{Key: to.Key, Bytes: bytes.Clone(to.Bytes)} // the caller keeps to
			return nil
		}
		var rows []conversationRow
		if err := s.query(ctx, tx.Tx, &rows, selectConversationKey, string(id), now); err != nil {
			return err
		}
		if len(rows) == 0 {
			return noConversation()
		}
		stored = domain.Sealed{Key: rows[0].KeyID, Bytes: rows[0].Sealed}
		return nil
	})
	if err != nil {
		return domain.Sealed{}, err
	}
	return stored, nil
}
