/* The angle of a point in the half plane x >= 0: atan2 to within a unit or two in the last place, without branches, so
 * that many points go together. It is measured from 0, 45 or 90 degrees, whichever is nearest; the quotient of
 * polynomials is that of Moshier's Cephes. */
static inline double avg_angle(double y, double x)
{
    const double t = fabs(y), u = 0.5 + copysign(0.5, 2.41421356237309504880 * x - t); /* zero or one */
    const double v = 0.5 - copysign(0.5, 0.66 * x - t), turns = v - u + 1;
    const double z = (u * t - v * x) / (v * t + u * x + DBL_MIN), s = z * z;
    const double p = (((-8.750608600031904122785e-1 * s - 1.615753718733365076637e1) * s - 7.500855792314704667340e1) * s -
                      1.228866684490136173410e2) * s - 6.485021904942025371773e1;
    const double q = ((((s + 2.485846490142306297962e1) * s + 1.650270098316988542046e2) * s +
                       4.328810604912902668951e2) * s + 4.853903996359136964868e2) * s + 1.945506571482613964425e2;
    return copysign(turns * (0.25 * AVG_PI) + ((z * (s * p / q) + turns * 3.061616997868382943065e-17) + z), y);
}
