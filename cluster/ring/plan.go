package ring

// Plan is a new table, and the way to it.
type Plan struct {
	Table *Table
	// Moves are the changes between the tables, in the order in which to make them: the
	// most urgent first, what only drops a replica last. Each may be made by itself.
	Moves  []Move
	Report Report
}

// Move is one change of a row: To takes the place of From.
type Move struct {
	Partition uint16
	// From leaves the row. It is zero if the row grows, and may be a node that is gone.
	From NodeID
	// To joins the row and needs the data. It is zero if the row shrinks.
	To  NodeID
	Why Reason
}

// Reason says why a replica moves. The most urgent is the smallest.
type Reason uint8

// The reasons.
const (
	Fill    Reason = iota // a replica is missing, or its node is no longer a member
	Spread                // replicas share racks that need not
	Balance               // a node has too much for its weight, or is leaving
	Drop                  // there is one replica too many; nothing is copied
)

// String returns a word for the reason.
func (r Reason) String() string {
	return [...]string{"fill", "spread", "balance", "drop"}[r]
}

// Report says how good a plan is, and why it is no better.
type Report struct {
	// Nodes has every node of the plan, ascending by id.
	Nodes []NodeReport
	// LowerBound is a number of copies below which no table with these loads can be
	// reached: in each data centre what the nodes lack of their loads, or what the rows
	// lack, if that is more. It looks at no rule of racks, so it cannot always be met.
	LowerBound int
	// Copies is the number of moves with a To.
	Copies int
	// Reordered is the number of rows with another primary, of those whose primary could
	// have stayed.
	Reordered  int
	Exceptions []Exception
}

// NodeReport is what a plan gives to a node.
type NodeReport struct {
	Node
	Fair      float64 // replicas that the weight alone asks for
	Quota     float64 // what the rules leave of that; the load is within one of it
	Load      int     // replicas
	Primaries int     // rows that have the node first
}

// Exception is one rule that could not be kept, or kept only against another.
type Exception struct {
	Rule Rule
	DC   string
	Rack string // of the rule Weights, if it is about a rack
	Node NodeID // of the rule Weights, if it is about a node
	Why  string // in one sentence, with numbers
}

// Rule is what a plan tries to keep.
type Rule uint8

// The rules.
const (
	Replicas Rule = iota // each partition has as many replicas as the policy says
	Racks                // the replicas of a partition are in different racks
	Weights              // a node holds as much as its weight says
)

// String returns a word for the rule.
func (r Rule) String() string { return [...]string{"replicas", "racks", "weights"}[r] }

// NewPlan plans a table of q partitions for these nodes. The current table may be nil;
// otherwise it has q partitions too, and what can stay of it stays. Nodes that have a
// weight of 0, or are in no data centre of the policy, get nothing; nodes of the current
// table that are not among the nodes are gone. The result depends on the arguments alone,
// and not on the order of the nodes. Errors are ErrInvalid.
func NewPlan(current *Table, nodes []Node, policy Policy, q int) (*Plan, error) {
	nodes, err := checkNodes(nodes)
	if err != nil {
		return nil, err
	}
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	if err := checkPartitions(q); err != nil {
		return nil, err
	}
	if current != nil && current.Partitions() != q {
		return nil, invalid("a plan of %d partitions from a table of %d: the number is fixed when a cluster is formed", q, current.Partitions())
	}
	plan := &Plan{}
	var sites []*site
	for _, r := range policy {
		s, err := newSite(nodes, r, q)
		if err != nil {
			return nil, err
		}
		sites = append(sites, s)
		s.take(current)
		s.shares()
		s.round()
		lack := s.lack()
		plan.Report.LowerBound += max(lack, s.tidy())
		if err := s.place(); err != nil {
			return nil, err
		}
		plan.Report.Exceptions = append(plan.Report.Exceptions, s.exceptions(r.Replicas)...)
	}
	if plan.Table, err = NewTable(order(sites, current)); err != nil {
		return nil, err
	}
	plan.compare(current, nodes, sites)
	return plan, nil
}
