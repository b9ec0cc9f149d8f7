/** Numbers of xen/include/public/errno.h, negated as hypercalls answer them; and of xen.h. Written out, not imported. */
export const EPERM = -1;
export const ENOENT = -2;
export const ESRCH = -3;
export const ENXIO = -6;
export const E2BIG = -7;
export const EACCES = -13;
export const EFAULT = -14;
export const EBUSY = -16;
export const EEXIST = -17;
export const EINVAL = -22;
export const ENOSPC = -28;
export const EDOM = -33;
export const ENOSYS = -38;
export const ENODATA = -61;
export const EOVERFLOW = -75;
export const EILSEQ = -84;
export const EOPNOTSUPP = -95;

/** DOMID_SELF. */
export const SELF = 0x7ff0;
/** Number of the domain that the rows are run in here; the self-test guest does not know its own. */
export const OWN_NUMBER = 1;
export const NO_NUMBER = "it does not know its number";
/** The domain of the back ends. */
export const BACKEND = 0;
/** No domain of that number is there. */
export const STRANGER = 1234;
/** No vCPU of that number is there. */
export const NO_VCPU = 4000;
