package portstest

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// pictureOriginsStored also has another change of the project beside, which keeps the origins, and
// uses of the project on another instance than the one that stored them.
func pictureOriginsStored(t *testing.T, f *fixture) {
	h := f.talk(t)
	p := h.p
	beside := f.add(t, f.inEnvironments("q"))
	at := f.instances(t)
	for i, to := range [][]domain.Origin{
		{"https://cdn.example.com"}, {"https://cdn.example.com"}, {"https://192.0.2.7:8443", "https://cdn.example.com"},
		{"https://cdn.example.com", "https://192.0.2.7:8443"}, nil, nil,
	} {
		what := fmt.Sprintf("after origins %d", i)
		rec := f.record(domain.ActionSetPictureOrigins, domain.OnProject(p.ID))
		was := p
		stored, err := at[i%len(at)].Ports.Projects.Update(t.Context(), byOperator(rec), p.ID, func(p *domain.Project) error {
			p.PictureOrigins = to
			return nil
		})
		wantNil(t, what+": Update", err)
		if p.PictureOrigins = to; !p.Equal(was) {
			f.log = append(f.log, rec)
		}
		wantSame(t, what+": Update", stored, p)
		f.wantProject(t, what, p)
		f.wantRecords(t, what)
		other := at[(i+1)%len(at)].Ports
		for _, in := range []domain.Visible{everything, domain.GrantedTo(h.member.ID)} {
			page, err := other.Projects.Page(t.Context(), in, domain.ProjectFilter{}, domain.Cursor{}, 1)
			wantNil(t, what+": Page", err)
			wantSame(t, what+": Page", page, []domain.Project{unsealed(p)})
		}
		access, err := useOf(t.Context(), other.Access, inSession(h.session))
		wantNil(t, what+": Access", err)
		wantSame(t, what+": the project of a session", access.Project, p)
		p = f.put(t, p, domain.SlotPrimary, keyFor(projectID(f.next())))
		f.wantProject(t, what+" and of a key", p)
	}
	f.wantProject(t, "the project beside", beside)
}
