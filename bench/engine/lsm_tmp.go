package engine

var LSM = Kind{Name: "lsm"}
