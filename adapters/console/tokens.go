package console

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/app/paging"
	"github.com/flowlatch/flowlatch/domain"
)

// tokenTable is a table of access tokens.
type tokenTable struct {
	Rows   []tokenRow
	Owners bool   // it shows whose they are
	End    string // the local path that ends one
}

// tokenRow is an access token as a page shows it.
type tokenRow struct {
	domain.AccessToken

	Owner     domain.Username // whose it is
	Assistant string          // the name of its assistant
	Own       bool            // it is the caller's own
	Expired   bool
}

// tokensPage is what the list of access tokens shows.
type tokensPage struct {
	Tokens tokenTable
	Next   string // the address of the next page, "" if there is none
}

const tokensTitle = "Access tokens"

func (x *request) tokens() error {
	page, err := x.tokensPage()
	if err != nil {
		return err
	}
	return x.show("tokens", tokensTitle, page)
}

func (x *request) tokensPage() (tokensPage, error) {
	after, err := x.cursor(domain.TokenList)
	if err != nil {
		return tokensPage{}, err
	}
	page, err := x.console.service.GetAccessTokens(x.Context(), x.Call(), after, pageSize)
	if err != nil {
		return tokensPage{}, err
	}
	table := tokenTable{Owners: x.Call().Caller.Admin, End: "/console/tokens/delete"}
	table.Rows, err = x.tokenRows(page.Items)
	return tokensPage{Tokens: table, Next: x.nextOf("/console/tokens", page.Next, domain.TokenList)}, err
}

// tokenRows returns access tokens as a page shows them.
func (x *request) tokenRows(tokens []domain.AccessToken) ([]tokenRow, error) {
	var projects []domain.ProjectID
	var users []domain.UserID
	for _, t := range tokens {
		projects, users = append(projects, t.Project), append(users, t.User)
	}
	names, err := x.names(projects, users, nil)
	if err != nil {
		return nil, err
	}
	now := x.console.clock()
	rows := make([]tokenRow, 0, len(tokens))
	for _, t := range tokens {
		rows = append(rows, tokenRow{
			AccessToken: t, Owner: names.Users[t.User], Assistant: names.Projects[t.Project],
			Own: t.User == x.Call().Caller.ID, Expired: !t.Live(now),
		})
	}
	return rows, nil
}

// newTokenForm is what the page for a new access token shows. The password is never among it.
type newTokenForm struct {
	Name, Days, Rate, Open, UserIDs string
	Environments                    string // a line each
	Project                         string
	Assistants                      assistantChoices
	Scopes, Manage                  []scopeChoice // Manage is for admins only
}

const newTokenTitle = "Create an access token"

func (x *request) newToken() error {
	form := newTokenForm{Days: strconv.Itoa(domain.DefaultTokenDays), Project: fields(x.Request().URL.Query()).text("project_id")}
	if err := x.fill(&form, scopeNames(domain.DefaultScopes())); err != nil {
		return err
	}
	return x.show("tokens_new", newTokenTitle, form)
}

// fill adds what the form offers.
func (x *request) fill(form *newTokenForm, scopes []string) error {
	form.Scopes = scopeChoices(domain.AllScopes(), scopes)
	if x.Call().Caller.Admin {
		form.Manage = scopeChoices(domain.ManageScopes(), scopes)
	}
	var chosen []string
	if form.Project != "" {
		chosen = []string{form.Project}
	}
	var err error
	form.Assistants, err = x.assistantChoices(mostOptions, chosen...)
	return err
}

// tokenMade is what the page shows that has a new access token. No other page and no log has it.
type tokenMade struct {
	Text      string
	Token     domain.AccessToken
	Assistant string
	Rotated   bool
}

func (x *request) createToken() error {
	x.Asked(domain.OnUser(x.Call().Caller.ID))
	in, err := x.fields()
	form := newTokenForm{
		Name: in.shown("name"), Project: in.shown("project_id"), Days: in.shown("expires_in_days"), Rate: in.shown("rate"), Open: in.shown("open"),
		UserIDs: in.text("user_ids"), Environments: withoutKey(strings.Join(in.words("environments"), "\n")),
	}
	var made app.AccessTokenMade
	if err == nil {
		made, err = x.makeToken(in)
	}
	if err != nil {
		if failed := x.fill(&form, in.texts("scopes")); failed != nil {
			return failed
		}
		return x.again(err, "tokens_new", newTokenTitle, form)
	}
	return x.showToken("Your new access token", made, false)
}

func (x *request) makeToken(in fields) (app.AccessTokenMade, error) {
	spec := app.CreateAccessToken{
		Name: in.text("name"), Scopes: in.scopes(), UserIDs: in.text("user_ids"), Environments: in.words("environments"), Password: in.secret("password"),
	}
	if project := in.text("project_id"); project != "" {
		ids, err := x.assistantIDs([]string{project})
		if err != nil {
			return app.AccessTokenMade{}, err
		}
		spec.Project = ids[0]
	}
	var err error
	for _, number := range []struct {
		name string
		to   **int
	}{{"expires_in_days", &spec.Days}, {"rate", &spec.Rate}, {"open", &spec.Open}} {
		if *number.to, err = in.number(number.name); err != nil {
			return app.AccessTokenMade{}, err
		}
	}
	return x.console.service.CreateAccessToken(x.Context(), x.Call(), spec)
}

// showToken shows the text of an access token, this once.
func (x *request) showToken(title string, made app.AccessTokenMade, rotated bool) error {
	names, _ := x.names([]domain.ProjectID{made.AccessToken.Project}, nil, nil) // the text must not be lost because of a name
	return x.show("tokens_made", title, tokenMade{
		Text: made.Text.Reveal(), Token: made.AccessToken, Assistant: names.Projects[made.AccessToken.Project], Rotated: rotated,
	})
}

// rotateForm is what the page for the rotation of an access token shows.
type rotateForm struct {
	Token   domain.AccessToken
	Overlap string // hours
	Most    int    // hours
}

const rotateTitle = "Rotate an access token"

func (x *request) newRotation() error {
	t, err := x.ownToken(fields(x.Request().URL.Query()).text("token_id"))
	if err != nil {
		return err
	}
	return x.show("tokens_rotate", rotateTitle, rotateForm{Token: t, Overlap: strconv.Itoa(domain.DefaultOverlapHours), Most: domain.MaxOverlapHours})
}

// ownToken returns the access token of the caller's with that id. Others rotate theirs themselves:
// only the owner is to see the new text.
func (x *request) ownToken(text string) (domain.AccessToken, error) {
	id, err := domain.ParseTokenID(text)
	if err != nil {
		return domain.AccessToken{}, err
	}
	page, err := x.console.service.GetUsersTokens(x.Context(), x.Call(), string(x.Call().Caller.ID), domain.Cursor{}, paging.Max)
	if err != nil {
		return domain.AccessToken{}, err
	}
	i := slices.IndexFunc(page.Items, func(t domain.AccessToken) bool { return t.ID == id })
	if i < 0 {
		return domain.AccessToken{}, domain.NoSuch("access token")
	}
	return page.Items[i], nil
}

func (x *request) rotateToken() error {
	x.Asked(domain.OnUser(x.Call().Caller.ID))
	in, err := x.fields()
	if err != nil {
		return err
	}
	t, err := x.ownToken(in.text("token_id"))
	if err != nil {
		return err
	}
	overlap, err := in.number("overlap_hours")
	var made app.AccessTokenMade
	if err == nil {
		made, err = x.console.service.RotateAccessToken(x.Context(), x.Call(), app.RotateAccessToken{
			Token: string(t.ID), OverlapHours: overlap, Password: in.secret("password"),
		})
	}
	if err != nil {
		return x.again(err, "tokens_rotate", rotateTitle, rotateForm{Token: t, Overlap: in.shown("overlap_hours"), Most: domain.MaxOverlapHours})
	}
	return x.showToken("The new text of "+made.AccessToken.Name, made, true)
}

func (x *request) endToken() error {
	in, err := x.fields()
	if err == nil {
		err = x.console.service.DeleteAccessToken(x.Context(), x.Call(), in.text("token_id"))
	}
	if err != nil {
		page, failed := x.tokensPage()
		if failed != nil {
			return failed
		}
		return x.again(err, "tokens", tokensTitle, page)
	}
	return x.done("/console/tokens", "The access token was ended.")
}
